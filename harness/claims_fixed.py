"""Fixed weights and fixed topology: what an opened model lets others change.

Weights: a model whose operator writes into a constant is refused, or faults, or the constant stays; and a store into
the weights where they lie faults. Topology: an opened model takes no other number or shapes of inputs, and a change of
its file after opening changes no operator.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from opconform.harness import claims_boards, claims_pages, claims_worker
from opconform.harness.claims import Evidence, NotMeasurable, Subject
from opconform.harness.flatmodel import Graph, Node, TensorDef, write_model
from opconform.harness.isolate import Executor
from opconform.harness.model import Array, Declined, Outcome, Produced, Rejected
from opconform.harness.smoke import say

_SHAPE = (2, 3)
_X = np.arange(1, 7, dtype=np.float32).reshape(_SHAPE)
_WEIGHTS = np.full(_SHAPE, 100, np.float32)


def check_fixed_weights(subject: Subject) -> Evidence:
    """Run a model that overwrites its weights before it adds them, then store into the weights of an opened one.

    Both from memory, and from a file where the runtime maps files; on a board weights lie in flash.
    """
    sources = ["a model whose first operator writes into the constant that its second adds"]
    files = _opens_files(subject)
    executor = subject.connect()
    try:
        ways = {"from memory": _written(lambda model: _answer(executor, model))}
    finally:
        executor.close()
    if files:
        ways["from a file"] = _written(lambda model: _answer_of_file(subject, model))
    if all(stay for stay, _ in ways.values()):
        sources.append("stores into the weights where they lie")
        ways |= _stored(subject, files)
    words = "; ".join(f"{way}: {found}" for way, (_, found) in ways.items())
    found = {stay for stay, _ in ways.values()}
    measured = "can be overwritten" if False in found else "not shown" if None in found else "stay"
    return Evidence("fixed_weights", found == {True}, measured, "; ".join(sources), words)


def _stored(subject: Subject, files: bool) -> dict[str, tuple[bool | None, str]]:
    """Return, by where weights lie, whether they stay when they are stored to, and what happened."""
    if claims_boards.builds_images(subject.handle):
        return {"in flash": claims_boards.store_into_weights(subject.handle)}
    try:
        ways = {"in memory": claims_pages.store_into_weights(subject.handle)}
        if files:
            ways["in a mapped file"] = claims_pages.store_into_mapped_weights(subject.handle)
    except NotMeasurable as error:
        return {"in memory": (True, f"not tried: {error}")}  # what the models above have shown stands
    return ways


def _written(answer: Callable[[bytes], Array | str]) -> tuple[bool | None, str]:
    """Return whether weights stay as they are (None: they cannot be used), and what happened.

    `answer` runs a model: its output, or a refusal.
    """
    control = answer(_model(written="z"))
    if not _is(control, _X + _WEIGHTS):
        return None, f"the same model without the write does not run right: {_shown(control)}"
    found = answer(_model(written="w"))
    if isinstance(found, str):
        return True, found
    if _is(found, _X + _WEIGHTS):
        return True, "the write has no effect"
    return False, "it writes into the constant, and the next operator reads what was written"


def _is(found: Array | str, want: Array) -> bool:
    return not isinstance(found, str) and np.array_equal(found, want)


def _shown(found: Array | str) -> str:
    return found if isinstance(found, str) else f"{found.tolist()}"


def _answer(executor: Executor, model: bytes) -> Array | str:
    outcome = executor.execute(model, [(_X,)])
    return _only(outcome) if isinstance(outcome, Produced) else say(outcome)


def _only(outcome: Produced) -> Array | str:
    outputs = outcome.outputs[0]
    return outputs[0] if len(outputs) == 1 else f"{len(outputs)} outputs, the model has 1"


def _answer_of_file(subject: Subject, model: bytes) -> Array | str:
    with tempfile.NamedTemporaryFile(suffix=".tflite") as file, claims_worker.started(subject.handle) as worker:
        file.write(model)
        file.flush()
        try:
            worker.open_file(Path(file.name))
            return worker.run([_X])[0]
        except claims_worker.Refused as error:
            return str(error)


def _opens_files(subject: Subject) -> bool:
    """Tell whether a worker takes the path of a model."""
    try:
        return not isinstance(_answer_of_file(subject, _model(written="z")), str)
    except (NotMeasurable, claims_worker.Refused):
        return False


def _model(written: str, second: str = "ADD") -> bytes:
    """Return ABS(x) into tensor `written` ("w": the weights), then y = x `second` w."""
    names = ("x", "w", "z", "y")
    tensors = tuple(TensorDef(name, "float32", _SHAPE, _WEIGHTS if name == "w" else None) for name in names)
    nodes = (Node("ABS", (0,), (names.index(written),)), Node(second, (0, 1), (3,)))
    return write_model([Graph(tensors, nodes, (0,), (3,))])


def check_fixed_topology(subject: Subject) -> Evidence:
    """Try to have an opened model take other inputs, and to change its operators by its file."""
    sources = ["RUN with an input more, with more rows, with fewer"]
    executor = subject.connect()
    try:
        before = executor.execute(_model(written="z"), [(_X,)])
        if why := _changed(before):
            return Evidence("fixed_topology", False, "not shown", sources[0], f"a model of ABS and ADD: {why}")
        why = _bent(executor)
    finally:
        executor.close()
    if not why and _opens_files(subject):
        sources.append("its file overwritten with another operator once it is open")
        why = _follows_file(subject)
    return Evidence("fixed_topology", not why, "stays" if not why else "can be changed", "; ".join(sources), why)


def _bent(executor: Executor) -> str:
    """Return how an opened model gave way to inputs that do not fit, or ""."""
    others = {"an input more": (_X, _X), "an input of more rows": (np.concatenate([_X, _X]),), "one row": (_X[:1],)}
    for name, vector in others.items():
        found = executor.run([vector])
        if not isinstance(found, Declined | Rejected):
            return f"{name} was not refused: {say(found)}"
    after = _changed(executor.run([(_X,)]))
    return f"after what it refused: {after}" if after else ""


def _changed(outcome: Outcome) -> str:
    """Return what is wrong with the answer of the model of ABS and ADD, or ""."""
    if not isinstance(outcome, Produced):
        return say(outcome)
    found = _only(outcome)
    return "" if _is(found, _X + _WEIGHTS) else f"it answers {_shown(found)}, want {_shown(_X + _WEIGHTS)}"


def _follows_file(subject: Subject) -> str:
    """Return what happens to an opened model whose file becomes that of MUL in place of ADD, "" if nothing."""
    with tempfile.NamedTemporaryFile(suffix=".tflite") as file, claims_worker.started(subject.handle) as worker:
        file.write(_model(written="z"))
        file.flush()
        try:
            worker.open_file(Path(file.name))
            file.seek(0)
            file.write(_model(written="z", second="MUL"))
            file.flush()
            found: Array | str = worker.run([_X])[0]
        except claims_worker.Refused as error:
            found = str(error)
    return "" if _is(found, _X + _WEIGHTS) else f"with its file, the opened model changed: {_shown(found)}"
