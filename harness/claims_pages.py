"""Where the weights of an opened model lie in a worker, and whether a store gets through to them.

The weights are bytes that nothing else has, so each copy of them is found in the worker's memory. Each is written to
as the worker itself could, and where its pages forbid that, past them: a copy whose change changes the answer is the
model's.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

from opconform.harness import proc
from opconform.harness.claims import NotMeasurable
from opconform.harness.claims_models import Question
from opconform.harness.claims_worker import Worker, started
from opconform.harness.flatmodel import TensorDef, one_op
from opconform.harness.proc import Place
from opconform.harness.registry import Handle

_WEIGHTS = np.random.default_rng(11).integers(1, 1 << 20, (16, 64)).astype(np.float32)
_HELD, _OTHER = _WEIGHTS.tobytes(), (_WEIGHTS + 1).tobytes()


def adding_weights() -> Question:
    """Return ADD of an input and of 4 KiB of weights."""
    x = np.full_like(_WEIGHTS, 3)
    names = {"x": None, "w": _WEIGHTS, "y": None}
    *added, y = (TensorDef(name, "float32", x.shape, data) for name, data in names.items())
    return Question(one_op("ADD", added, [y]), (x,), x + _WEIGHTS)


def store_into_weights(handle: Handle) -> tuple[bool | None, str]:
    """Return whether weights of a model from memory stay as they are (None: they are nowhere to be seen), and what
    happened. Raises Refused, and NotMeasurable where a worker cannot be looked into."""
    question = adding_weights()
    with started(handle) as worker:
        worker.open(question.model)
        return _stored(worker, question)


def store_into_mapped_weights(handle: Handle) -> tuple[bool | None, str]:
    """Return the same for weights of a model whose file the worker opens."""
    question = adding_weights()
    with tempfile.NamedTemporaryFile(suffix=".tflite") as file, started(handle) as worker:
        file.write(question.model)
        file.flush()
        worker.open_file(Path(file.name))
        return _stored(worker, question)


def _stored(worker: Worker, question: Question) -> tuple[bool | None, str]:
    if not question.is_answered(worker.run(question.inputs)):
        return None, "a model that adds its weights is answered wrong"
    try:
        stored = [_store(worker, question, place) for place in list(proc.places(worker.pid, _HELD))]
    except PermissionError as error:
        raise NotMeasurable("the system forbids to look into a worker's memory (ptrace)") from error
    if True in stored:
        return False, "a store into them gets through, and the answer changes"
    if False in stored:
        return True, "a store into them faults: their pages are read-only"
    return None, f"none of {len(stored)} copies of them in its memory is what it computes with"


def _store(worker: Worker, question: Question, place: Place) -> bool | None:
    """Tell whether a store into a copy of the weights gets through; None for one that no answer comes from, or that has
    become something else since it was found. A shared mapping of the model's file is taken for what answers come from.
    """
    if place.read() != _HELD:
        return None
    stored = place.store(_OTHER)
    if not stored and not place.force(_OTHER):
        return False
    if question.is_answered(worker.run(question.inputs)):
        return None
    place.force(_HELD)
    return stored
