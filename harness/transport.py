"""What carries frames between the harness and one worker: the protocol and what may go wrong with it."""

from __future__ import annotations

import ctypes
import signal
import struct
import sys
from collections.abc import Mapping
from typing import Protocol

#: How a fork server tells process ids and exit statuses.
STATUS = struct.Struct("<i")
_PR_SET_PDEATHSIG = 1


def die_with_parent() -> None:
    """Ask Linux to kill this process when the thread that started it ends: no endless loop outlives the harness."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


class TransportError(Exception):
    """Base of what a transport may raise; the message is one line for the reader."""


class Died(TransportError):
    """The worker ended. The message names how, e.g. "SIGSEGV: munmap_chunk(): invalid pointer"."""


class Silent(TransportError):
    """No frame came within the deadline; the worker was killed or must be restarted."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"no answer within {seconds:g} s")
        self.seconds = seconds


class Garbled(TransportError):
    """Bytes came that are no frame: a wrong magic, version, length or CRC."""


class NotStarted(TransportError):
    """The target could not start; the message is its own, e.g. QEMU's last line on standard error."""


class Transport(Protocol):
    """One worker on the other end of a wire. The harness restarts it after Died, Silent and Garbled.

    `depth` is how many frames may be under way before the first answer is read (1: lockstep). The
    harness also keeps the bytes under way below the size of a default pipe, so a plain blocking write never locks up.
    """

    @property
    def depth(self) -> int:
        """Return how many frames may be under way; at least 1."""
        ...

    def start(self) -> None:
        """Start the worker if it does not run. Boot is outside every deadline. Raises NotStarted."""
        ...

    def send(self, frames: bytes) -> None:
        """Write one or more whole frames. Raises Died."""
        ...

    def receive(self, seconds: float) -> bytes:
        """Return the next whole frame, CRC unchecked; `seconds` is CPU time of the worker.

        Raises Died at the end of its output, Silent at the deadline, Garbled where no frame begins.
        """
        ...

    def restart(self) -> None:
        """Kill the worker if it lives and start a fresh one; bytes of the old one are forgotten. Raises NotStarted."""
        ...

    def stop(self) -> None:
        """End the worker; safe to call twice."""
        ...

    def meters(self) -> Mapping[str, int]:
        """Return what the target itself measured since the last call of `meters`; may be empty."""
        ...
