"""Portable test vectors: models, inputs and what is right, as files for devices without Python (docs/vectors.md)."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from opconform import __version__
from opconform.harness import events, vectors_header
from opconform.harness.compare import Judge, tolerance_of
from opconform.harness.encode import encode_case
from opconform.harness.errors import InputError
from opconform.harness.generate.engine import TIERS, cases
from opconform.harness.intervals import Accepted, accepted
from opconform.harness.model import Array, TensorType
from opconform.harness.runner import Selection, load_oracle, select, specs_hash
from opconform.harness.spec import OpSpec
from opconform.harness.spec_load import load_all
from opconform.harness.unit import Oracle, prepare

MANIFEST = "manifest.json"
SCHEMA = "manifest.schema.json"


class VectorsError(InputError):
    """A folder of vectors cannot be written or read; the message is one line that says what to do."""


@dataclass(frozen=True, slots=True)
class Export:
    """What is exported: rows by globs, a tier, a seed, and at most `most` cases of each row (0: all)."""

    ops: tuple[str, ...] = ("*",)
    rows: tuple[str, ...] = ("*",)
    tier: str = "smoke"
    seed: int = 0
    most: int = 0

    @property
    def selection(self) -> dict[str, Any]:
        """Return it as the manifest names it."""
        rows = {"ops": list(self.ops), "rows": list(self.rows)}
        return rows | {"tier": self.tier, "seed": self.seed, "cases": self.most}


def schema() -> dict[str, Any]:
    """Return the JSON schema of a manifest."""
    text = (files("opconform") / "harness" / "vectors.schema.json").read_text(encoding="utf-8")
    found: dict[str, Any] = json.loads(text)
    return found


def write(export: Export, folder: Path) -> Mapping[str, Any]:
    """Write the vectors of a selection; return the manifest.

    The same specs, tier and seed give the same bytes. Raises VectorsError where the folder holds something else.
    """
    if folder.exists() and (not folder.is_dir() or (any(folder.iterdir()) and not (folder / MANIFEST).is_file())):
        raise VectorsError(f"{folder}: is neither empty nor a folder of vectors; give another one")
    old = _listed(folder)
    names: dict[str, str] = {}
    manifest: Mapping[str, Any] = {}
    for name, content in contents(export):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        names[name] = _hash(content)
        if name == MANIFEST:
            manifest = json.loads(content)
    for name in sorted(old - set(names)):
        (folder / name).unlink(missing_ok=True)
    return manifest


def drift(export: Export, folder: Path) -> Iterator[str]:
    """Yield one line for each file that regenerating would change, add or leave out."""
    seen: set[str] = set()
    for name, content in contents(export):
        seen.add(name)
        path = folder / name
        if not path.is_file():
            yield f"{name}: drift: is missing"
        elif path.read_bytes() != content:
            yield f"{name}: drift: differs from what this version generates"
    for name in sorted(_listed(folder) - seen):
        yield f"{name}: drift: is not generated any more"


def _listed(folder: Path) -> set[str]:
    """Return the files that a manifest names, itself too; nothing where there is none that can be read."""
    try:
        found = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        names = {name for case in found["cases"] for name in case["files"]}
    except (OSError, ValueError, KeyError, TypeError):
        return set()
    return {n for n in names if isinstance(n, str) and not Path(n).is_absolute() and ".." not in Path(n).parts} | {
        MANIFEST,
        SCHEMA,
    }


def contents(export: Export) -> Iterator[tuple[str, bytes]]:
    """Yield names and contents of all files, the manifest last."""
    specs = load_all(None, export.ops)
    pairs = select(specs, Selection((), export.ops, export.rows, export.tier, export.seed))
    oracle = load_oracle()
    listed: list[Mapping[str, Any]] = []
    left_out: list[Mapping[str, str]] = []
    for op, row in pairs:
        if why := _why_not(specs[op], row):
            left_out.append({"row": f"{op}/{row}", "why": why})
            continue
        for judged, model in _cases(specs[op], row, export, oracle):
            case, made = _case(judged, model)
            listed.append(case)
            yield from made.items()
    yield SCHEMA, _json(schema())
    yield MANIFEST, _json(_manifest(export, listed, left_out))


def _why_not(spec: OpSpec, row: str) -> str:
    """Return why intervals cannot say what is right for a row, or ""."""
    if any(rule.kind == "distribution" for rule in spec.tolerance[row]):
        return "judged by the distribution of many samples, which no interval tells: use opconform run"
    return ""


def _cases(spec: OpSpec, row: str, export: Export, oracle: Oracle) -> Iterator[tuple[Judge, bytes]]:
    found = cases(spec, row, oracle.kernels[spec.op], TIERS[export.tier], export.seed)
    for built in islice(found, export.most or None):
        yield prepare(spec, built, oracle), encode_case(spec, built.case)


def _manifest(export: Export, listed: list[Mapping[str, Any]], left_out: list[Mapping[str, str]]) -> Mapping[str, Any]:
    return {
        "format": 1,
        "opconform": __version__,
        "specs": specs_hash(),
        "selection": export.selection,
        "left_out": left_out,
        "cases": listed,
    }


def _case(judged: Judge, model: bytes) -> tuple[Mapping[str, Any], Mapping[str, bytes]]:
    """Return a case's entry of the manifest, and its files."""
    case = judged.case
    made = {f"{case.id}/model.tflite": model}
    right = [_right(judged, number) for number in range(len(case.vectors))]
    vectors = [
        {
            "inputs": _inputs(judged, number, made),
            "outputs": [_output(judged, number, position, one, made) for position, one in enumerate(outputs)],
        }
        for number, outputs in enumerate(right)
    ]
    header = f"{case.id}/vectors.h"
    made[header] = vectors_header.render(case, model, right)
    entry = {
        "id": case.id,
        "op": case.op,
        "row": case.row,
        "attributes": {name: events.plain(value) for name, value in case.attributes.items()},
        "expect": "refusal" if case.violates else "outputs",
        "clause": case.violates,
        "family": _family(judged),
        "stateful": judged.spec.stateful,
        "model": f"{case.id}/model.tflite",
        "header": header,
        "vectors": vectors,
        "files": {name: _hash(content) for name, content in made.items()},
    }
    return entry, made


def _family(judged: Judge) -> str:
    case = judged.case
    if case.violates or judged.exact is None:
        return ""
    return next((f for t in case.outputs if (f := tolerance_of(judged.spec, case.row, t.name).family)), "")


def _right(judged: Judge, number: int) -> list[Accepted]:
    """Return what is right for each output of a vector, nothing where the model must be refused."""
    case = judged.case
    return [] if case.violates else [accepted(judged, number, position) for position in range(len(case.outputs))]


def _inputs(judged: Judge, number: int, made: dict[str, bytes]) -> list[dict[str, Any]]:
    case = judged.case
    fed = [slot.tensor for slot in case.inputs if slot.role == "input"]
    result = []
    for tensor, data in zip(fed, case.vectors[number], strict=True):
        name = f"{case.id}/{tensor.name}.{number}.npy"
        made[name] = npy(data)
        result.append(_tensor(tensor, data) | {"data": name})
    return result


def _output(judged: Judge, number: int, position: int, right: Accepted, made: dict[str, bytes]) -> dict[str, Any]:
    tensor = judged.case.outputs[position]
    stem = f"{judged.case.id}/{tensor.name}.{number}"
    parts = {"want": right.want, "low": right.low, "high": right.high}
    if right.exact is not None:
        parts["exact"] = right.exact
    for part, data in parts.items():
        made[f"{stem}.{part}.npy"] = npy(data)
    shown = judged.wanted[number][position]
    named = {part: f"{stem}.{part}.npy" for part in parts}
    return _tensor(tensor, shown) | {"signed_zero": right.signed_zero} | named


def _tensor(tensor: TensorType, data: Array) -> dict[str, Any]:
    found: dict[str, Any] = {"name": tensor.name, "dtype": tensor.dtype, "shape": list(data.shape)}
    if tensor.quant is not None:
        quant = tensor.quant
        found["quantization"] = {"scale": list(quant.scale), "zero_point": list(quant.zero_point), "axis": quant.axis}
    return found


def npy(data: Array) -> bytes:
    """Return an array as a .npy file, little-endian; bfloat16 as its bits (uint16), for which .npy has no name."""
    plain = np.ascontiguousarray(data).reshape(data.shape)
    if plain.dtype.name == "bfloat16":
        plain = plain.view(np.uint16)
    out = io.BytesIO()
    np.save(out, plain.astype(plain.dtype.newbyteorder("<")), allow_pickle=False)
    return out.getvalue()


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _json(value: Any) -> bytes:
    return (json.dumps(value, indent=1, sort_keys=False, allow_nan=True) + "\n").encode()
