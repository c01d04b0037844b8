"""The contract between the harness and a runtime: protocols, manifest, errors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from opconform.harness.errors import InputError
from opconform.harness.model import Array


class RuntimeFailure(InputError):
    """Base of what a runtime may raise; the message is one line for the reader."""


class Unsupported(RuntimeFailure):
    """The model is legal, and this runtime does not support it (op, dtype, attribute, size)."""


class InvalidModel(RuntimeFailure):
    """The model or an input breaks the format's rules; the runtime refuses it."""


class LostInTransport(RuntimeFailure):
    """The protocol in between cannot carry a value of an input or an output; the model itself is not to blame."""


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
    `rows` are globs over OP/row; `except_rows` take some out again. `vectors` is "all" that the tier has for a case,
    or the "least" by which a row still reaches the tier's floor, where each invocation is dear. `claims` has
    a value for each claim of claim_values.CLAIMS, a size as text ("100 KB"); empty, nothing is claimed.
    """

    name: str
    summary: str = ""
    targets: tuple[str, ...] = ("host",)
    variants: tuple[str, ...] = ()
    arithmetic: str = "unspecified"
    rows: tuple[str, ...] = ("*",)
    except_rows: tuple[str, ...] = ()
    limits: tuple[Limit, ...] = ()
    vectors: str = "all"
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


class OpensFiles(Protocol):
    """What a runtime class offers beside Runtime if it maps model files into memory."""

    def open_file(self, path: Path) -> Session:
        """Open the model at a path without reading what it does not need; raises what open raises."""
        ...


class Trainer(Protocol):
    """Trains the network of two layers by which `opconform claims` checks training.

    Its weights are (w1 [inputs, hidden], b1 [hidden], w2 [hidden, classes], b2 [classes]), all float32; its answer to
    x [n, inputs] float32 is tanh(x @ w1 + b1) @ w2 + b2, its loss the mean over the batch of the cross-entropy of
    softmax with labels [n] int64.
    """

    def gradients(self, weights: Sequence[Array], x: Array, labels: Array) -> tuple[float, tuple[Array, ...]]:
        """Return the loss and its gradient by each of the weights, in their order and shapes."""
        ...

    def step(self, weights: Sequence[Array], gradients: Sequence[Array], rate: float) -> tuple[Array, ...]:
        """Return the weights after a step of gradient descent, as an optimizer of the runtime takes it."""
        ...


class Trains(Protocol):
    """What a runtime class offers beside Runtime if it can train."""

    def trainer(self) -> Trainer:
        """Return what trains in this process."""
        ...


class Distributes(Protocol):
    """What a runtime class offers beside Runtime if several processes can share its work."""

    def distributed_trainer(self, addresses: Sequence[str], task: int) -> Trainer:
        """Return the trainer of one of several processes, each of which sees a part of the batch of its own.

        `addresses` are host:port of all of them, on loopback; this process is number `task`. Every call of `gradients`
        is made by all at the same time; each gets the mean over all parts, of loss and gradients.
        """
        ...
