"""Runtimes that are wrong with whole models in one known way each: lite, told another model than it is given."""

from __future__ import annotations

import numpy as np

from opconform.harness.flatread import ModelView, read_model
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
        return Rubbish(super().open(model))


class Rubbish:
    """A session whose outputs are not numbers."""

    def __init__(self, carrier: Session) -> None:
        self._carrier = carrier

    def run(self, inputs: object) -> list[np.ndarray]:  # type: ignore[type-arg]
        return [np.full_like(y, np.nan) for y in self._carrier.run(inputs)]  # type: ignore[arg-type]

    def meters(self) -> dict[str, int]:
        return {}

    def close(self) -> None:
        self._carrier.close()
