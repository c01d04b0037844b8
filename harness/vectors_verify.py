"""Judge what a device made of exported vectors, by the files alone (docs/vectors.md)."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np

from opconform.harness.intervals import inside
from opconform.harness.model import DTYPES, Array
from opconform.harness.vectors import MANIFEST, VectorsError, schema

#: The file of a case's folder by which a device says that it refused the model.
REFUSED = "refused.txt"


@dataclass(frozen=True, slots=True)
class Judged:
    """One case: `verdict` is a word of docs/glossary.md, "missing" without an answer, or "drift"."""

    case: str
    verdict: str
    message: str

    @property
    def good(self) -> bool:
        """Tell whether the case passed."""
        return self.verdict == "pass"


def load(folder: Path) -> Mapping[str, Any]:
    """Read and check the manifest of a folder of vectors; raise VectorsError."""
    path = folder / MANIFEST
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise VectorsError(f"{path}: {error.strerror}; give a folder that opconform export wrote") from error
    except (ValueError, RecursionError) as error:
        raise VectorsError(f"{path}: is no JSON ({error}); export again") from error
    problem = jsonschema.exceptions.best_match(jsonschema.Draft202012Validator(schema()).iter_errors(found))
    if problem is not None:
        raise VectorsError(f"{path}: {problem.json_path}: {problem.message[:200]}; export again")
    manifest: Mapping[str, Any] = found
    return manifest


def verify(folder: Path, outputs: Path, family: str = "") -> Iterator[Judged]:
    """Judge every case of a folder; `family` holds the device to the rows' exact files of that rounding family.

    A file of the vectors that does not match its hash is reported as drift, and its case is not judged.
    """
    manifest = load(folder)
    if not outputs.is_dir():
        raise VectorsError(f"{outputs}: is no folder; give the one that holds the device's OP/row/token folders")
    for case in manifest["cases"]:
        if changed := _changed(folder, case):
            yield Judged(case["id"], "drift", changed)
        else:
            yield _judge(folder, outputs, case, family)


def _changed(folder: Path, case: Mapping[str, Any]) -> str:
    """Return the first file that is not what was exported, or ""."""
    for name, digest in case["files"].items():
        try:
            content = (folder / name).read_bytes()
        except OSError as error:
            return f"{name}: {error.strerror}; export again"
        if hashlib.sha256(content).hexdigest() != digest:
            return f"{name}: drift: differs from its hash in {MANIFEST}; export again"
    return ""


def _judge(folder: Path, outputs: Path, case: Mapping[str, Any], family: str) -> Judged:
    answer = outputs / case["id"]
    refused = (answer / REFUSED).is_file()
    if case["expect"] == "refusal":
        if refused:
            return Judged(case["id"], "pass", "")
        text = f"a model that breaks {case['clause']} is accepted" if answer.is_dir() else _nothing(answer)
        return Judged(case["id"], "accepts-invalid" if answer.is_dir() else "missing", text)
    if refused:
        return Judged(case["id"], "rejects-valid", f"a legal model is refused: {_first_line(answer / REFUSED)}")
    for number, vector in enumerate(case["vectors"]):
        for output in vector["outputs"]:
            verdict, message = _compare(folder, answer, output, number, family if family == case["family"] else "")
            if verdict != "pass":
                return Judged(case["id"], verdict, message)
    return Judged(case["id"], "pass", "")


def _nothing(answer: Path) -> str:
    return f"no answer: {answer} is missing"


def _first_line(path: Path) -> str:
    return next(iter(path.read_text(encoding="utf-8", errors="replace").splitlines()), "")[:200]


def _compare(folder: Path, answer: Path, output: Mapping[str, Any], number: int, family: str) -> tuple[str, str]:
    name, dtype = f"{output['name']}.{number}", output["dtype"]
    low, high, want = (_npy(folder / output[part], dtype) for part in ("low", "high", "want"))
    if family and "exact" in output:
        low = high = want = _npy(folder / output["exact"], dtype)
    try:
        found = _answer(answer, name, dtype, want.shape)
    except VectorsError as error:
        return "missing", str(error)
    except ValueError as error:
        return "wrong-shape", f"{name}: {error}"
    if found.dtype != want.dtype:
        return "wrong-dtype", f"{name} is {found.dtype}, want {want.dtype}"
    if found.shape != want.shape:
        return "wrong-shape", f"{name} has shape {list(found.shape)}, want {list(want.shape)}"
    good = inside(found, low, high, want, output["signed_zero"])
    if good.all():
        return "pass", ""
    at = tuple(int(i) for i in np.argwhere(~good)[0])
    where = f"{name}[{','.join(map(str, at))}]"
    allowed = f"{low[at]} to {high[at]}" if low[at] != high[at] else f"{low[at]}"
    return "wrong-value", f"{where} = {found[at]}, want {want[at]}, allowed {allowed} ({int((~good).sum())} are wrong)"


def _answer(folder: Path, name: str, dtype: str, shape: tuple[int, ...]) -> Array:
    """Read NAME.npy, or NAME.bin: the elements little-endian in row-major order, in the shape that is wanted."""
    path, raw = folder / f"{name}.npy", folder / f"{name}.bin"
    if path.is_file():
        return _npy(path, dtype)
    if not raw.is_file():
        raise VectorsError(f"no answer: {path} (or .bin) is missing")
    content, element = raw.read_bytes(), _element(dtype)
    wanted = int(np.prod(shape, dtype=np.int64)) * element.itemsize
    if len(content) != wanted:
        raise ValueError(f"{raw} has {len(content)} bytes, {list(shape)} of {dtype} takes {wanted}")
    return np.frombuffer(content, element.newbyteorder("<")).astype(element).reshape(shape)


def _element(dtype: str) -> np.dtype[Any]:
    """Return the NumPy dtype of an element (complex numbers: of a part, with one more dimension of 2)."""
    return np.dtype(np.float32) if dtype == "complex64" else DTYPES[dtype][0]


def _npy(path: Path, dtype: str) -> Array:
    """Read a .npy file; bits of bfloat16 become numbers, complex numbers their parts."""
    try:
        found: Array = np.load(io.BytesIO(path.read_bytes()), allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise VectorsError(f"{path}: is no .npy file ({str(error)[:80]}); write it with numpy.save") from error
    if found.dtype.kind == "c":
        found = np.stack([found.real, found.imag], axis=-1)
    if dtype == "bfloat16" and found.dtype == np.uint16:
        return found.view(DTYPES[dtype][0])
    return found.astype(found.dtype.newbyteorder("="))
