"""Exported vectors: the intervals say what the judge says, regenerating gives the same bytes, answers are judged."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest

from opconform.harness.compare import Judge, judge
from opconform.harness.encode import encode_case
from opconform.harness.generate.engine import TIERS, cases
from opconform.harness.intervals import accepted, inside
from opconform.harness.isolate import connect
from opconform.harness.model import DTYPES, Array, Produced, Rejected
from opconform.harness.numerics import parts_of
from opconform.harness.registry import resolve
from opconform.harness.runner import load_oracle
from opconform.harness.spec_load import load_all
from opconform.harness.unit import prepare
from opconform.harness.vectors import Export, VectorsError, drift, npy, schema, write
from opconform.harness.vectors_verify import verify

ROWS = [
    ("ADD", "float32"), ("ADD", "int8"), ("SOFTMAX", "float32"), ("SOFTMAX", "int8"), ("EXP", "float16"),
    ("ATAN2", "bfloat16"), ("LESS", "int32"), ("RFFT2D", "float32"), ("CAST", "float32_int64"), ("ABS", "float32"),
    ("MUL", "int64"), ("CONV_2D", "float32"), ("HARD_SWISH", "int8"),
]  # fmt: skip


def judged_cases(op: str, row: str, most: int) -> Iterator[Judge]:
    oracle, spec = load_oracle(), load_all(None, (op,))[op]
    for number, built in enumerate(cases(spec, row, oracle.kernels[op], TIERS["smoke"], 0)):
        if number == most:
            return
        if not built.case.violates:
            yield prepare(spec, built, oracle)


def candidates(low: Array, high: Array, want: Array) -> Iterator[Array]:
    """Answers at the ends of the interval, just outside them, and special ones."""
    yield from (want, low, high)
    if want.dtype.kind in "fV" or want.dtype.name == "bfloat16":
        with np.errstate(all="ignore"):
            yield np.nextafter(low, np.asarray(-np.inf, low.dtype))
            yield np.nextafter(high, np.asarray(np.inf, high.dtype))
            yield (want.astype(np.float64) * 1.001 + 1e-3).astype(want.dtype)
        for special in (np.nan, np.inf, -np.inf, -0.0):
            yield np.full_like(want, special)
    elif want.dtype.kind in "iu":
        info = np.iinfo(want.dtype)
        yield np.where(low > info.min, low - np.ones_like(low), low)
        yield np.where(high < info.max, high + np.ones_like(high), high)


@pytest.mark.parametrize(("op", "row"), ROWS, ids=lambda value: str(value))
def test_an_interval_accepts_just_what_the_judge_accepts(op: str, row: str) -> None:
    tried = 0
    for judged in judged_cases(op, row, 12):
        right = [[accepted(judged, v, o) for o in range(len(judged.case.outputs))] for v in range(len(judged.wanted))]
        for kind in range(8):
            answers = [[pick(r.low, r.high, r.want, kind) for r in vector] for vector in right]
            if any(a is None for vector in answers for a in vector):
                continue
            good = all(
                inside(a, r.low, r.high, r.want, r.signed_zero).all()
                for vector, rights in zip(answers, right, strict=True)
                for a, r in zip(vector, rights, strict=True)
            )
            outputs = tuple(tuple(whole(judged, o, a) for o, a in enumerate(vector)) for vector in answers)
            assert (judge(judged, Produced(outputs)).kind == "pass") == good, (judged.case.id, kind)
            tried += 1
    assert tried > 20


def pick(low: Array, high: Array, want: Array, kind: int) -> Array | None:
    found = list(candidates(low, high, want))
    return found[kind] if kind < len(found) else None


def whole(judged: Judge, output: int, data: Array) -> Array:
    """Return an answer as a runtime gives it: complex numbers whole."""
    if judged.case.outputs[output].dtype != "complex64":
        return data
    return np.ascontiguousarray(data).view(np.complex64)[..., 0]


EXPORT = Export(("ADD", "RFFT2D", "CAST"), ("int8", "float32", "float32_bfloat16"), most=4)


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("vectors")
    write(EXPORT, folder)
    return folder


@pytest.fixture
def vectors(exported: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(exported, tmp_path / "vectors"))


@pytest.fixture(scope="module")
def device(exported: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What lite answers, written as a device would."""
    folder, specs, oracle = tmp_path_factory.mktemp("device"), load_all(), load_oracle()
    wanted = [case["id"] for case in json.loads((exported / "manifest.json").read_text())["cases"]]
    with closing(connect(resolve("lite"))) as executor:
        for op, row in {tuple(name.split("/")[:2]) for name in wanted}:
            for built in cases(specs[op], row, oracle.kernels[op], TIERS["smoke"], 0):
                if built.case.id not in wanted:
                    continue
                answer = folder / built.case.id
                answer.mkdir(parents=True)
                outcome = executor.execute(encode_case(specs[op], built.case), built.case.vectors)
                if isinstance(outcome, Rejected):
                    (answer / "refused.txt").write_text(outcome.why)
                    continue
                assert isinstance(outcome, Produced)
                for number, outputs in enumerate(outcome.outputs):
                    for tensor, data in zip(built.case.outputs, outputs, strict=True):
                        (answer / f"{tensor.name}.{number}.npy").write_bytes(npy(data))
    return folder


def test_a_right_device_passes(exported: Path, device: Path) -> None:
    found = list(verify(exported, device, "double_rounding"))
    assert len(found) == 16
    assert [judged for judged in found if not judged.good] == []


def test_the_manifest_fits_its_schema_which_is_shipped_beside_it(exported: Path) -> None:
    jsonschema.Draft202012Validator.check_schema(schema())
    assert json.loads((exported / "manifest.schema.json").read_text()) == schema()
    jsonschema.validate(json.loads((exported / "manifest.json").read_text()), schema())


def test_regenerating_gives_the_same_bytes(exported: Path) -> None:
    assert list(drift(EXPORT, exported)) == []


def test_a_changed_byte_is_drift(vectors: Path, device: Path) -> None:
    model = next(vectors.glob("ADD/int8/*/model.tflite"))
    content = bytearray(model.read_bytes())
    content[-1] ^= 1
    model.write_bytes(content)
    name = model.relative_to(vectors).as_posix()
    assert list(drift(EXPORT, vectors)) == [f"{name}: drift: differs from what this version generates"]
    bad = [judged for judged in verify(vectors, device) if not judged.good]
    assert [(b.case, b.verdict) for b in bad] == [(name.rpartition("/")[0], "drift")]


def test_another_selection_removes_the_files_of_the_one_before(vectors: Path) -> None:
    write(Export(("RFFT2D",), most=1), vectors)
    assert not list(vectors.glob("ADD/**/*.npy"))
    assert list(vectors.glob("RFFT2D/**/*.npy"))


def first_case(vectors: Path, op: str) -> dict[str, Any]:
    found = json.loads((vectors / "manifest.json").read_text())["cases"]
    return next(
        c
        for c in found
        if c["op"] == op and c["row"] != "int8" and c["expect"] == "outputs" and c["vectors"][0]["outputs"]
    )


@pytest.fixture
def answers(device: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(device, tmp_path / "device"))


def verdict_of(vectors: Path, answers: Path, case: str) -> tuple[str, str]:
    found = next(judged for judged in verify(vectors, answers) if judged.case == case)
    return found.verdict, found.message


@pytest.mark.parametrize(
    ("change", "verdict", "text"),
    [
        (lambda a: a + np.float32(9), "wrong-value", "allowed"),
        (lambda a: a.astype(np.int16), "wrong-dtype", "is int16, want float32"),
        (lambda a: a.reshape(-1, 1, 1, 1, 1, 1, 1), "wrong-shape", "has shape"),
        (None, "missing", "is missing"),
    ],
)
def test_a_wrong_answer_is_named(
    vectors: Path, answers: Path, change: Callable[[Array], Array] | None, verdict: str, text: str
) -> None:
    case = first_case(vectors, "ADD")
    path = answers / case["id"] / f"{case['vectors'][0]['outputs'][0]['name']}.0.npy"
    if change is None:
        path.unlink()
    else:
        with np.errstate(over="ignore"):
            np.save(path, change(np.load(path)))
    found, message = verdict_of(vectors, answers, case["id"])
    assert found == verdict
    assert text in message


def test_raw_bytes_are_an_answer_too(vectors: Path, answers: Path) -> None:
    case = first_case(vectors, "ADD")
    for path in (answers / case["id"]).glob("*.npy"):
        path.with_suffix(".bin").write_bytes(np.load(path).tobytes())
        path.unlink()
    assert verdict_of(vectors, answers, case["id"]) == ("pass", "")
    raw = next((answers / case["id"]).glob("*.0.bin"))
    raw.write_bytes(raw.read_bytes() + b"\0")
    assert verdict_of(vectors, answers, case["id"])[0] == "wrong-shape"


def test_a_legal_model_that_is_refused_is_a_failure(vectors: Path, answers: Path) -> None:
    case = first_case(vectors, "ADD")
    (answers / case["id"] / "refused.txt").write_text("no kernel\n")
    assert verdict_of(vectors, answers, case["id"]) == ("rejects-valid", "a legal model is refused: no kernel")


@pytest.mark.parametrize(
    ("damage", "text"),
    [
        (lambda found: found["cases"][0]["files"].update({"../../etc/passwd": "0" * 64}), "does not match"),
        (lambda found: found.update(format=2), "was expected"),
        (lambda found: found.pop("cases"), "required"),
    ],
)
def test_a_manifest_that_breaks_the_schema_is_refused(
    vectors: Path, answers: Path, damage: Callable[[Any], Any], text: str
) -> None:
    path = vectors / "manifest.json"
    found = json.loads(path.read_text())
    damage(found)
    path.write_text(json.dumps(found))
    with pytest.raises(VectorsError, match=text):
        list(verify(vectors, answers))


def test_a_folder_of_other_files_is_not_written_to(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("x")
    with pytest.raises(VectorsError, match="neither empty nor a folder of vectors"):
        write(EXPORT, tmp_path)


def test_the_header_holds_the_same_bytes_as_the_files(exported: Path, tmp_path: Path) -> None:
    case = first_case(exported, "ADD")
    vector = case["vectors"][0]
    name = vector["outputs"][0]["name"]
    program = tmp_path / "dump.c"
    program.write_text(
        f'#include "{exported / case["header"]}"\n#include <stdio.h>\n'
        "int main(void) { fwrite(opc_model, 1, sizeof opc_model, stdout);\n"
        f"fwrite(opc_{name}_0_want, 1, sizeof opc_{name}_0_want, stdout); return OPC_REFUSED; }}\n"
    )
    subprocess.run(["gcc", "-std=c99", "-Wno-unused-variable", program, "-o", tmp_path / "dump"], check=True)
    found = subprocess.run([tmp_path / "dump"], capture_output=True, check=True).stdout
    want = np.load(exported / vector["outputs"][0]["want"]).astype(DTYPES[vector["outputs"][0]["dtype"]][0])
    assert found == (exported / case["model"]).read_bytes() + want.tobytes()


def test_complex_numbers_are_judged_by_their_parts(exported: Path, device: Path) -> None:
    case = first_case(exported, "RFFT2D")
    output = case["vectors"][0]["outputs"][0]
    assert output["dtype"] == "complex64"
    answer = np.load(device / case["id"] / f"{output['name']}.0.npy")
    assert np.load(exported / output["low"]).shape == parts_of(answer).shape
