"""The contract between the harness and a runtime: protocols, manifest, errors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from opconform.harness.model import Array


class RuntimeFailure(Exception):
    """Base of what a runtime may raise; the message is one line for the reader."""


class Unsupported(RuntimeFailure):
    """The model is legal, and this runtime does not support it (op, dtype, attribute, size)."""


class InvalidModel(RuntimeFailure):
    """The model or an input breaks the format's rules; the runtime refuses it."""


class Unavailable(RuntimeFailure):
    """The runtime cannot run on this machine; the message says how to get it."""


@dataclass(frozen=True, slots=True)
class Limit:
    """A declared limit: cases of `rows` for which `when` holds are not expected to run."""

    rows: str
    when: str
    why: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a runtime says of itself (runtime.yaml); the harness checks it.

    `arithmetic` names the integer rounding family that the runtime promises bit for
    bit ("double_rounding"), or "unspecified" when it promises only the spec's bounds.
    `rows` are globs over OP/row; `except_rows` take some out again.
    """

    name: str
    summary: str = ""
    targets: tuple[str, ...] = ("host",)
    variants: tuple[str, ...] = ()
    arithmetic: str = "unspecified"
    rows: tuple[str, ...] = ("*",)
    except_rows: tuple[str, ...] = ()
    limits: tuple[Limit, ...] = ()
    claims: Mapping[str, object] = field(default_factory=dict)
    version: str = ""


class Session(Protocol):
    """One opened model."""

    def run(self, inputs: Sequence[Array]) -> Sequence[Array]:
        """Invoke once. Inputs and outputs are in the model's order; state is kept between calls."""
        ...

    def meters(self) -> Mapping[str, int]:
        """Return what the last invocation cost, e.g. {"arena": 640, "instructions": 1200}; may be empty."""
        ...

    def close(self) -> None:
        """Free the model. A closed session is not used again."""
        ...


class Runtime(Protocol):
    """Something that executes .tflite models. It is constructed with the variant or target ("" for the default)."""

    def describe(self) -> Manifest:
        """Return the manifest."""
        ...

    def open(self, model: bytes) -> Session:
        """Open a model; raise Unsupported or InvalidModel with one line that says why."""
        ...
