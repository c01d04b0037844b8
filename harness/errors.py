"""What ends a command with one line for the reader: the roots of all such errors."""

from __future__ import annotations


class InputError(Exception):
    """What the user gave cannot be used; the message says where, what was found, what is allowed, what to do."""


class InfrastructureError(Exception):
    """What a run rests on gave way: a worker, a program, a board; the message says which, and how to go on."""
