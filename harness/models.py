"""The zoo: which whole models there are, what they were trained for, and the data that was held out (zoo.yaml)."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

import numpy as np

from opconform.harness.flatread import ModelError, ModelView, read_model
from opconform.harness.model import DTYPES, Array, TensorType
from opconform.harness.numerics import is_integer, quantize
from opconform.harness.spec_load import spec_folder
from opconform.harness.yamlish import Dict, SpecError, load

FORMATS = ("float32", "dynamic_range", "int8", "int16x8")
Vector = tuple[Array, ...]


@dataclass(frozen=True, slots=True)
class Task:
    """What models are for: held-out inputs, one array [count, ...] for each input of a model, and their classes.

    `labels` is empty where the task has no classes: then only agreement is told.
    """

    name: str
    data: Path
    inputs: tuple[str, ...]
    labels: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """One model file; `floating` names the float32 model that it was made from ("": it is one itself)."""

    name: str
    path: Path
    task: Task
    family: str = ""
    format: str = ""
    floating: str = ""


@dataclass(frozen=True, slots=True)
class Zoo:
    """All models by name, in the order of the file."""

    path: Path
    models: Mapping[str, Entry] = field(default_factory=dict)

    @property
    def hash(self) -> str:
        """Return a hash over the description, all models and their data: what a log was measured with."""
        digest = hashlib.sha256()
        used = {entry.path for entry in self.models.values()} | {entry.task.data for entry in self.models.values()}
        for path in (self.path, *sorted(used)):
            digest.update(path.name.encode() + b"\0" + _bytes_of(path))
        return digest.hexdigest()[:16]


def zoo_file() -> Path:
    """Return where the project's own models are described."""
    return spec_folder().parent / "models" / "zoo.yaml"


def load_zoo(path: Path) -> Zoo:
    """Read zoo.yaml; raise SpecError with file:line for whatever is wrong with it, a missing file among it."""
    top = load(path)
    if not isinstance(top, Dict):
        raise SpecError(str(path), 1, "a mapping with 'tasks' and 'models' is needed; see docs/model.md")
    tasks = {name: _task(path, name, entry) for name, entry in _section(path, top, "tasks")}
    models = {name: _model(path, name, entry, tasks) for name, entry in _section(path, top, "models")}
    for name, entry in _section(path, top, "models"):
        if models[name].floating not in ("", *models):
            raise _wrong(path, entry, "float", f"no model {models[name].floating!r}; models: {', '.join(models)}")
    return Zoo(path, models)


def _section(path: Path, top: Dict, key: str) -> list[tuple[str, Dict]]:
    section = top.get(key)
    if not isinstance(section, Dict) or not section:
        raise SpecError(str(path), top.lines.get(key, 1), f"'{key}' has to map names to descriptions")
    for name, entry in section.items():
        if not isinstance(entry, Dict):
            raise SpecError(str(path), section.lines[name], f"{key}: {name} has to be a mapping")
    return list(section.items())


def _wrong(path: Path, entry: Dict, key: str, text: str) -> SpecError:
    return SpecError(str(path), entry.lines.get(key, entry.line), f"'{key}': {text}")


def _text(path: Path, entry: Dict, key: str, default: str | None = None) -> str:
    value = entry.get(key, default)
    if value is None:
        raise SpecError(str(path), entry.line, f"lacks '{key}'; add it")
    if not isinstance(value, str):
        raise _wrong(path, entry, key, f"a text is needed, found {value!r}")
    return value


def _file(path: Path, entry: Dict, key: str) -> Path:
    found = path.parent / _text(path, entry, key)
    if not found.is_file():
        raise _wrong(path, entry, key, f"there is no file {found}; put it there or correct the name")
    return found


def _task(path: Path, name: str, entry: Dict) -> Task:
    inputs = entry.get("inputs")
    if isinstance(inputs, list) and inputs and all(isinstance(key, str) for key in inputs):
        names = tuple(inputs)
    else:
        names = (_text(path, entry, "inputs"),)
    return Task(name, _file(path, entry, "data"), names, _text(path, entry, "labels", ""))


def _model(path: Path, name: str, entry: Dict, tasks: Mapping[str, Task]) -> Entry:
    task, form = _text(path, entry, "task"), _text(path, entry, "format")
    if task not in tasks:
        raise _wrong(path, entry, "task", f"no task {task!r}; tasks: {', '.join(tasks)}")
    if form not in FORMATS:
        raise _wrong(path, entry, "format", f"unknown {form!r}; allowed: {', '.join(FORMATS)}")
    family, floating = (_text(path, entry, key, "") for key in ("family", "float"))
    return Entry(name, _file(path, entry, "file"), tasks[task], family, form, "" if floating == name else floating)


def chosen(zoo: Zoo, globs: Sequence[str]) -> list[Entry]:
    """Return the models that globs name, in the order of the file; raise ModelError where one names none."""
    for glob in globs:
        if not any(fnmatchcase(name, glob) for name in zoo.models):
            raise ModelError(f"--model {glob}: matches no model; models: {', '.join(zoo.models)}")
    return [entry for name, entry in zoo.models.items() if any(fnmatchcase(name, glob) for glob in globs)]


def read_entry(entry: Entry) -> ModelView:
    """Read the file of a model; raise ModelError."""
    return read_model(_bytes_of(entry.path), str(entry.path))


def _bytes_of(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path}: cannot be read: {error.strerror}; check the path") from error


@dataclass(frozen=True, slots=True)
class HeldOut:
    """The first held-out examples of a task as a model takes them, and their classes (None without)."""

    vectors: tuple[Vector, ...]
    labels: Array | None


def held_out(task: Task, view: ModelView, most: int) -> HeldOut:
    """Return at most so many examples, quantized as the model's inputs are. Raises ModelError."""
    stored = _arrays(task)
    if len(task.inputs) != len(view.inputs):
        raise ModelError(f"{task.data}: task {task.name} has {len(task.inputs)} inputs, a model {len(view.inputs)}")
    pairs = zip(task.inputs, view.inputs, strict=True)
    columns = [_fed(task, key, stored[key][:most], view.tensors[i]) for key, i in pairs]
    labels = stored[task.labels][:most] if task.labels else None
    return HeldOut(tuple(zip(*columns, strict=True)), labels)


def _arrays(task: Task) -> Mapping[str, Array]:
    """Return the arrays of a task by name, all of one length."""
    wanted = (*task.inputs, *((task.labels,) if task.labels else ()))
    try:
        with np.load(task.data, allow_pickle=False) as stored:
            found = {key: stored[key] for key in wanted if key in stored}
            names = ", ".join(stored)
    except Exception as error:  # a damaged archive raises what zipfile, zlib and NumPy please
        raise ModelError(f"{task.data}: cannot be read as .npz: {error}; write it with numpy.savez") from error
    for key in wanted:
        if key not in found:
            raise ModelError(f"{task.data}: has no array {key!r} for task {task.name}; it has: {names}")
    for key, data in found.items():
        if data.dtype.kind not in ("iu" if key == task.labels else "fiub") or (key == task.labels and data.ndim != 1):
            want = "whole numbers, one for each example" if key == task.labels else "numbers"
            raise ModelError(f"{task.data}: {key!r} is {data.dtype} {list(data.shape)}; {want} are needed")
    lengths = {key: len(data) if data.ndim else 0 for key, data in found.items()}
    if len(set(lengths.values())) > 1 or not all(lengths.values()):
        raise ModelError(f"{task.data}: arrays of different lengths, or empty: {lengths}; one row for each example")
    return found


def _fed(task: Task, key: str, data: Array, tensor: TensorType) -> list[Array]:
    """Return the examples of one input in its shape and dtype."""
    if tensor.dtype not in DTYPES or data[0].size != int(np.prod(tensor.shape)):
        want = f"{tensor.dtype} {list(tensor.shape)}"
        raise ModelError(
            f"{task.data}: an example of {key!r} has the shape {list(data[0].shape)}, a model wants {want}"
        )
    dtype = DTYPES[tensor.dtype][0]
    if tensor.quant is not None and is_integer(tensor.dtype) and data.dtype != dtype:
        data = quantize(data, tensor.quant, tensor.dtype)
    held = data.astype(dtype)
    if dtype.kind in "iub" and not np.array_equal(held, data):
        raise ModelError(
            f"{task.data}: {key!r} has numbers that {tensor.dtype} does not hold; store what the model takes"
        )
    return [row.reshape(tensor.shape) for row in held]
