"""The trainer of tfjs: its worker in Node is asked over the wire (js/trainer.mjs says what a RUN carries)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from opconform.harness import wire
from opconform.harness.model import Array
from opconform.harness.pipes import Pipes, Program
from opconform.harness.runtime import RuntimeFailure
from opconform.harness.transport import TransportError

#: Of the worker's CPU time; the first answer includes starting TensorFlow.js.
_SECONDS = 60.0


class NodeTrainer:
    """Trains in Node: gradients by TensorFlow.js's tape, steps by its optimizer (harness/runtime.py, Trainer)."""

    def __init__(self, command: Sequence[str]) -> None:
        self._pipes = Pipes(Program(command))

    def gradients(self, weights: Sequence[Array], x: Array, labels: Array) -> tuple[float, tuple[Array, ...]]:
        """Return the mean loss of a batch, and its gradient by each of the weights. Raises RuntimeFailure."""
        loss, *found = self._ask([*weights, x, labels.astype(np.int32)])
        return float(loss), tuple(found)

    def step(self, weights: Sequence[Array], gradients: Sequence[Array], rate: float) -> tuple[Array, ...]:
        """Return the weights after a step of gradient descent. Raises RuntimeFailure."""
        return self._ask([*weights, *gradients, np.array([rate], np.float32)])

    def _ask(self, tensors: Sequence[Array]) -> tuple[Array, ...]:
        try:
            self._pipes.start()
            self._pipes.send(wire.encode_frame(wire.RUN, 1, wire.encode_run(tensors)))
            answer = wire.decode_frame(self._pipes.receive(_SECONDS))
            if answer.kind == wire.ERROR:
                raise RuntimeFailure(wire.decode_error(answer.payload).text)
            return wire.decode_result(answer.payload)[0]
        except (TransportError, wire.WireError) as error:
            raise RuntimeFailure(f"the worker that trains: {error}") from error
