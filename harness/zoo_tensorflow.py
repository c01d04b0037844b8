"""The zoo: small models that TensorFlow trains on real data and converts, and the check of what was written.

`python -m opconform.harness.zoo_tensorflow DIR` trains every family of zoo_tensorflow_networks.py and writes, for each,
a .tflite in every format, the held-out data and zoo.yaml (`tox -e tensorflow` has the packages it needs).
With `--check` nothing is trained and TensorFlow is not needed: the files of DIR must be what its zoo.yaml says.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.metadata
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from opconform.harness.flatread import ModelError
from opconform.harness.isolate import connect
from opconform.harness.model import Array, Produced
from opconform.harness.models import Entry, held_out, load_zoo, read_entry
from opconform.harness.models_run import classes
from opconform.harness.registry import resolve
from opconform.harness.runtime import RuntimeFailure
from opconform.harness.wholemodel import answers, describe, unknown_ops
from opconform.harness.yamlish import SpecError, load
from opconform.harness.zoo_tensorflow_convert import INPUTS, convert_all
from opconform.harness.zoo_tensorflow_networks import FAMILIES, TASKS, Trained, train
from opconform.runtimes.tensorflow.package import tensorflow

#: Of the networks, the training and the conversion: another version may give other files.
SCRIPT = 1
SEED = 0
#: Whose answers count when the files are made, and when they are checked.
MAKER, CHECKER = "litert@ref", "lite"
#: The share of held-out examples by which the two may differ in being right, and the share to which a converted model
#: may give another class than the float32 model.
SLACK, CHANGED = 0.01, 0.03
HEAD = "# Written by `python -m opconform.harness.zoo_tensorflow`, which also checks it (--check); see docs/zoo.md.\n"


def write(folder: Path, families: Sequence[str] = ()) -> None:
    """Train, convert and write families (all by default) and their tasks; zoo.yaml then lists just these.

    Raises Unavailable without TensorFlow, and FileExistsError where a few families would take the place of a zoo.
    """
    if families and (folder / "zoo.yaml").exists():
        raise FileExistsError(f"{folder}: holds a zoo, which a few families alone would replace; give another folder")
    families = tuple(dict.fromkeys(families)) or tuple(FAMILIES)
    tensorflow().config.experimental.enable_op_determinism()
    folder.mkdir(parents=True, exist_ok=True)
    tasks = {name: _write_task(name, folder) for name in dict.fromkeys(FAMILIES[family].task for family in families)}
    models: dict[str, Any] = {}
    losses: dict[str, list[float]] = {}
    for family in families:
        trained = train(family, SEED)
        losses[family] = [round(trained.losses[0], 4), round(trained.losses[-1], 4)]
        models |= _write_family(family, trained, folder)
    listed = {"trained_with": _versions(), "losses": losses, "tasks": tasks, "models": models}
    path = folder / "zoo.yaml"
    _dump(path, listed)
    for name, (accuracy, _) in accuracies(path, MAKER).items():
        models[name]["accuracy"] = round(accuracy, 4)
    _dump(path, listed)


def _dump(path: Path, listed: Mapping[str, Any]) -> None:
    path.write_text(HEAD + yaml.safe_dump(listed, sort_keys=False, width=120), encoding="utf-8")


def _versions() -> dict[str, Any]:
    packages = ("tensorflow-cpu", "keras", "scikit-learn")
    return {"script": SCRIPT, "seed": SEED} | {name: importlib.metadata.version(name) for name in packages}


def _write_task(name: str, folder: Path) -> dict[str, str]:
    data, file = TASKS[name](), f"{name}_held_out.npz"
    np.savez_compressed(folder / file, allow_pickle=False, x=data.held_inputs, y=data.held_labels)
    return {"data": file, "inputs": "x", "labels": "y", "sha256": _hash((folder / file).read_bytes())}


def _write_family(family: str, trained: Trained, folder: Path) -> dict[str, Any]:
    task, models = FAMILIES[family].task, {}
    for form, data in convert_all(tensorflow(), trained.network, TASKS[task]().inputs).items():
        file = f"zoo_{family}_{form}.tflite"
        (folder / file).write_bytes(data)
        listed = {"file": file, "task": task, "family": family, "format": form, "float": f"{family}_float32"}
        models[f"{family}_{form}"] = listed | {"sha256": _hash(data)}
    return models


def accuracies(path: Path, runtime: str) -> dict[str, tuple[float, Array]]:
    """Return for each model of a zoo.yaml the share of held-out examples that a runtime is right on, and its classes.

    Raises SpecError, ModelError or RuntimeFailure.
    """
    executor, found = connect(resolve(runtime)), {}
    try:
        for name, entry in load_zoo(path).models.items():
            view = read_entry(entry)
            examples = held_out(entry.task, view, sys.maxsize)
            outcome = answers(executor, view, view.data, examples.vectors)
            if not isinstance(outcome, Produced):
                raise ModelError(f"{entry.path}: on {runtime}: {describe(outcome)}")
            said = classes(outcome.outputs)
            found[name] = float(np.mean(said == examples.labels)), said
    finally:
        executor.close()
    return found


def check(folder: Path) -> list[str]:
    """Return what is wrong with a zoo, a line each. Raises SpecError, ModelError or RuntimeFailure."""
    path = folder / "zoo.yaml"
    entries, listed = load_zoo(path).models, load(path)
    files = {entry.path: listed["models"][name] for name, entry in entries.items()}
    files |= {entry.task.data: listed["tasks"][entry.task.name] for entry in entries.values()}
    wrong = [line for file, stated in files.items() for line in _changed(file, stated.get("sha256"))]
    wrong = wrong or [line for entry in entries.values() for line in _of_another_kind(entry)]
    return wrong or _forgotten(path, entries, listed["models"])


def _changed(file: Path, sha256: object) -> list[str]:
    found = _hash(file.read_bytes())
    return [] if found == sha256 else [f"{file}: its sha256 is {found}, zoo.yaml has {sha256}: one of them was changed"]


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _of_another_kind(entry: Entry) -> list[str]:
    view = read_entry(entry)
    if unknown := unknown_ops(view):
        return [f"{entry.path}: holds operators without a spec: {', '.join(unknown)}"]
    dtypes = {view.tensors[n].dtype for n in (*view.inputs, *view.outputs)}
    if dtypes != {INPUTS[entry.format]}:
        return [f"{entry.path}: is called {entry.format} and has inputs and outputs of {', '.join(sorted(dtypes))}"]
    return []


def _forgotten(path: Path, entries: Mapping[str, Entry], stated: Mapping[str, Any]) -> list[str]:
    """Return which models are less accurate than stated, or no longer answer as their float32 model."""
    wrong, found = [], accuracies(path, CHECKER)
    for name, (accuracy, said) in found.items():
        entry, want = entries[name], stated[name].get("accuracy")
        if not isinstance(want, float) or abs(accuracy - want) > SLACK:
            wrong.append(f"{entry.path}: {CHECKER} is right on {accuracy:.4f} of the examples, {path.name} says {want}")
        same = np.mean(said == found[entry.floating or name][1])
        if same < 1 - CHANGED:
            wrong.append(f"{entry.path}: only {same:.4f} of its classes are those of {entry.floating}")
    return wrong


def _report(folder: Path) -> None:
    for path in sorted([*folder.glob("zoo*"), *folder.glob("*_held_out.npz")]):
        print(f"{path}: {path.stat().st_size} bytes")


def main(arguments: Sequence[str]) -> int:
    """Write or check a zoo; 0: done or right, 1: the check found something wrong, 2: bad input or a missing package."""
    parser = argparse.ArgumentParser(
        prog="python -m opconform.harness.zoo_tensorflow", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("folder", type=Path, metavar="DIR")
    parser.add_argument("--check", action="store_true", help="train nothing, verify what is there")
    parser.add_argument(
        "--family", action="append", choices=tuple(FAMILIES), help="only this one, into a new folder; may be repeated"
    )
    given = parser.parse_args(arguments)
    try:
        if given.check:
            wrong = check(given.folder)
            print("\n".join(wrong) or f"{given.folder}: the files are what zoo.yaml says")
            return 1 if wrong else 0
        write(given.folder, given.family or ())
    except (SpecError, ModelError, RuntimeFailure, OSError, ImportError) as error:
        print(f"zoo: {error}", file=sys.stderr)
        return 2
    _report(given.folder)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
