"""Runtimes that are wrong with whole models in one known way each: lite, told another model than it is given."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from opconform.harness.flatread import ModelView, read_model
from opconform.harness.model import Array
from opconform.harness.runtime import Manifest, Runtime, Session, Unsupported
from opconform.runtimes.lite import Lite


class Right:
    """lite itself, in this process."""

    in_process = True

    def __init__(self, at: str = "") -> None:
        self._lite: Runtime = Lite()

    def describe(self) -> Manifest:
        return Manifest(name="fake", rows=("*",), arithmetic="double_rounding")

    def open(self, model: bytes) -> Session:
        return self._lite.open(self.told(model, read_model(model, "the model")))

    def told(self, model: bytes, view: ModelView) -> bytes:
        return model


def biased(model: bytes, view: ModelView) -> bytes:
    """Return a model whose second layer adds the same to all its outputs: SOFTMAX hides it."""
    layers = [o for o in view.operations if o.op == "FULLY_CONNECTED"]
    if len(layers) < 2:
        return model
    bias = view.constants[layers[1].inputs[2]]
    other = bias + bias.dtype.type(1 if bias.dtype.kind == "f" else 3000)
    assert model.count(bias.tobytes()) == 1
    return model.replace(bias.tobytes(), other.astype(bias.dtype).tobytes())


class WrongLayer(Right):
    """Its second FULLY_CONNECTED adds too much."""

    def told(self, model: bytes, view: ModelView) -> bytes:
        return biased(model, view)


class WrongWeights(Right):
    """Its first layer is nonsense, so that its answers are too."""

    def told(self, model: bytes, view: ModelView) -> bytes:
        weights = view.constants[view.operations[0].inputs[1]].tobytes()
        return model.replace(weights, weights[::-1])


class Overwriting(WrongWeights):
    """Right only where inner tensors are kept, as if its planner let operators overwrite each other's."""

    def told(self, model: bytes, view: ModelView) -> bytes:
        return model if len(view.outputs) > 1 else super().told(model, view)


class Small(Right):
    """Has no room for more than two outputs."""

    def told(self, model: bytes, view: ModelView) -> bytes:
        if len(view.outputs) > 2:
            raise Unsupported(f"{len(view.outputs)} outputs, 2 at most")
        return model


class Secretive(WrongWeights):
    """Wrong, and shows nothing but the model's own output."""

    def told(self, model: bytes, view: ModelView) -> bytes:
        if view.outputs != (view.operations[-1].outputs[0],):
            raise Unsupported("only the last operator's output")
        return super().told(model, view)


class Closed(Secretive):
    """Right, and shows nothing but the model's own output."""

    def told(self, model: bytes, view: ModelView) -> bytes:
        super().told(model, view)
        return model


class Hiding(Closed):
    """Its classes are right and the numbers beside them off, and it shows nothing but the model's own output."""

    def open(self, model: bytes) -> Session:
        return Altered(super().open(model), lambda outputs, _: [np.where(y == y.max(), y, y.min()) for y in outputs])


class Refusing(Right):
    """Claims every row and takes no model of more than one operator."""

    def told(self, model: bytes, view: ModelView) -> bytes:
        if len(view.operations) > 1:
            raise Unsupported("one operator at most")
        return model


class Modest(Right):
    """Claims all but SOFTMAX."""

    def describe(self) -> Manifest:
        return Manifest(name="modest", rows=("*",), except_rows=("SOFTMAX",))


class NotANumber(Right):
    """Answers every model with NaN."""

    def open(self, model: bytes) -> Session:
        return Altered(super().open(model), lambda outputs, _: [np.full_like(y, np.nan) for y in outputs])


class Silent(Right):
    """Answers without any output."""

    def open(self, model: bytes) -> Session:
        return Altered(super().open(model), lambda outputs, _: [])


class Doubling(Right):
    """Gives its outputs twice."""

    def open(self, model: bytes) -> Session:
        return Altered(super().open(model), lambda outputs, _: [*outputs, *outputs])


class Forgetful(Right):
    """Gives no output from the fifth answer on."""

    def open(self, model: bytes) -> Session:
        return Altered(super().open(model), lambda outputs, number: outputs if number < 4 else [])


class Stingy(Right):
    """Gives one output, however many a model has."""

    def open(self, model: bytes) -> Session:
        return Altered(super().open(model), lambda outputs, _: outputs[-1:])


class Empty(Right):
    """Gives outputs without elements."""

    def open(self, model: bytes) -> Session:
        return Altered(super().open(model), lambda outputs, _: [np.zeros((1, 0), y.dtype) for y in outputs])


class Altered:
    """A session that gives something else than another: `change` takes its outputs and how many answers were before."""

    def __init__(self, carrier: Session, change: Callable[[Sequence[Array], int], Sequence[Array]]) -> None:
        self._carrier, self._change, self._answers = carrier, change, 0

    def run(self, inputs: Sequence[Array]) -> Sequence[Array]:
        self._answers += 1
        return self._change(self._carrier.run(inputs), self._answers - 1)

    def meters(self) -> Mapping[str, int]:
        return {}

    def close(self) -> None:
        self._carrier.close()
