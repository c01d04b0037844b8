"""A synthetic run log with everything that a report must show, and nothing that a runtime computed."""

from __future__ import annotations

import base64
import json
import random
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from opconform.reports.log import Log, parse

Record = dict[str, Any]

RUNTIMES = (
    ("reference", "host", "0.1.0", "float64 semantics in NumPy", "unspecified"),
    ("lite", "host", "0.1.0", "numba interpreter", "double_rounding"),
    ("micro", "host", "0.1.0", "C99 library, native build", "double_rounding"),
    ("micro", "cortex-m0", "0.1.0", "C99 library on microbit in QEMU", "double_rounding"),
    ("micro", "cortex-m4", "0.1.0", "C99 library on mps2-an386 in QEMU", "double_rounding"),
    ("litert", "ref", "2.3.0", "ai-edge-litert, reference resolver", "unspecified"),
    ("litert", "xnnpack", "2.3.0", "ai-edge-litert with XNNPACK", "unspecified"),
)
OPS = {
    "ADD": ("float32", "int8", "int16", "int32"),
    "CONV_2D": ("float32", "int8", "int16x8"),
    "RELU_0_TO_1": ("float32", "int8"),
    "SOFTMAX": ("float32", "int8", "int16"),
    "STRIDED_SLICE": ("float32", "int8", "bool"),
    "WHERE": ("bool",),
}
KNOWN = "XNNPACK rescales in float and rounds half to even, so ties differ by one from the integer definition"
ISSUE = "https://example.org/issues/4711"
MODEL = base64.b64encode(b"\x18\x00\x00\x00TFL3" + bytes(range(200))).decode()


def case(op: str, row: str, runtime: str, target: str, **more: Any) -> Record:
    """One case line; a pass unless told otherwise."""
    known = {"kind": "case", "case": f"{op}/{row}/7f3k2q", "op": op, "row": row, "runtime": runtime, "target": target}
    plain = {"verdict": "pass", "expected": True, "clause": "T2", "error": 0.0, "limit": 1.0, "unit": "lsb"}
    rest = {"cases": 8, "seconds": 0.0125, "meters": {}, "histogram": {"0": 512}, "attributes": {}, "shapes": {}}
    return {**known, **plain, **rest, "law": "", "message": "", **more}


def header(**more: Any) -> Record:
    """The first line."""
    names = ("name", "target", "version", "summary", "arithmetic")
    runtimes = [dict(zip(names, one, strict=True)) for one in RUNTIMES]
    told = {
        "format": 1,
        "version": "0.1.0",
        "seed": 20261122,
        "tier": "pr",
        "specs": "9f2c41d07ab3",
        "runtimes": runtimes,
    }
    return {
        "kind": "header",
        **told,
        "started": "2026-11-22T10:02:00Z",
        "python": "3.11.2",
        "platform": "Linux-x86_64",
        **more,
    }


def footer(**more: Any) -> Record:
    """The last line."""
    told = {"complete": True, "cases": 9000, "lines": 900, "verdicts": {"pass": 8900}, "unexpected": 3}
    return {
        "kind": "footer",
        **told,
        "stale": ["ABS/int8 litert@*"],
        "floor": 5000,
        "seconds": 192.4,
        "exit": 1,
        **more,
    }


def clause(label: str, kind: str, line: int, text: str, why: str = "", row: str = "") -> Record:
    """What a spec demands, and where it says so."""
    return {"label": label, "kind": kind, "row": row, "line": line, "text": text, "why": why}


def spec(op: str, rows: tuple[str, ...]) -> Record:
    """What the spec of an op says."""
    bounds = ("lsb: 1" if "int" in row else "bound: KH * KW * C + 1" for row in rows)
    clauses = [
        clause("R1", "require", 41, "OH >= 1 and OW >= 1", "a window must fit"),
        clause("R2", "require", 42, "N * OH * OW <= 40000", "keeps one case under 50 ms"),
        *(clause(f"T{i}", "tolerance", 53 + i, text, row=rows[i - 1]) for i, text in enumerate(bounds, 1)),
        clause("L1", "law", 61, "batch_independent: x"),
    ]
    return {
        "kind": "spec",
        "op": op,
        "file": f"specs/ops/{op.lower()}.yaml",
        "summary": f"What {op} means, in one sentence that is long enough to wrap on a phone.",
        "see": ["https://ai.google.dev/edge/litert/models/quantization_spec"],
        "rows": [f"{op}/{row}" for row in rows],
        "attributes": {"padding": "SAME or VALID", "stride_h": "1 to 3"},
        "clauses": clauses,
        "laws": ["batch_independent", "homogeneous"],
    }


def _spread(rng: random.Random, row: str) -> Record:
    if "int" not in row:
        return {str(int(rng.gauss(0, 40))): rng.randint(1, 90) for _ in range(40)} | {"0": 9000}
    return {"-1": rng.randint(1, 90), "0": 40000 + rng.randint(0, 999), "1": rng.randint(1, 90)}


def _passing(rng: random.Random, op: str, row: str, runtime: str, target: str) -> Iterator[Record]:
    for i in range(6):
        exact = runtime == "reference"
        unit, limit = ("lsb", 1.0) if "int" in row else ("bound", 2.4e-5)
        yield case(
            op,
            row,
            runtime,
            target,
            case=f"{op}/{row}/{i:03d}abc",
            error=0.0 if exact else limit * rng.random(),
            limit=limit,
            unit=unit,
            histogram=_spread(rng, row),
            meters={"arena": 640 + 8 * i, "instructions": 12000 + i} if runtime == "micro" else {},
        )
    yield case(op, row, runtime, target, case=f"{op}/{row}/000abc", law="batch_independent", clause="L1", histogram={})


def fed(name: str, dtype: str, shape: list[int], scale: Any, zero_point: Any, data: list[int]) -> Record:
    """An input of a counterexample: `x` is fed, all others are constants of the model."""
    told = {"name": name, "role": "input" if name == "x" else "constant", "dtype": dtype, "shape": shape}
    return {**told, "scale": scale, "zero_point": zero_point, "data": data}


def failure(op: str, row: str, runtime: str, target: str, **more: Any) -> Record:
    """A minimal counterexample of a CONV_2D."""
    where, spec_file = f"{runtime}@{target}", f"specs/ops/{op.lower()}.yaml"
    replay = f"opconform replay {op}/{row}/7f3k2q --runtime {where}"
    cite = f"{op}/{row}/7f3k2q {where}: y[0,1,0,1] = 37, want 35 (2 lsb, 1 allowed by {spec_file}:55 T2)"
    inputs = [
        fed("x", row, [1, 3, 2, 1], 0.05, -3, [-128, 0, 127, 4, 5, -6]),
        fed("w", "int8", [2, 2, 2, 1], [0.011, 0.02], [0, 0], [127, 0, 0, 0, 1, 2, 3, -127]),
        fed("bias", "int32", [2], [0.00055, 0.001], [0, 0], [0, -41]),
    ]
    judged = {"verdict": "wrong-value", "expected": False, "error": 2.0, "because": "", "issue": ""}
    told = {"original": f"{op}/{row}/x9k2d1", "replay": replay, "message": f"{cite}; replay: {replay}"}
    values = {"inputs": inputs, "want": [12, -4, 0, 35], "got": [12, -4, 0, 37], "index": [0, 1, 0, 1], "model": MODEL}
    found = {
        "rounding": {"double_rounding": 0.75, "single_rounding": 0.75, "float_half_even": 1.0, "float_half_away": None},
        "attributes": {"padding": "SAME", "stride_h": 2, "stride_w": 1, "activation": "RELU6"},
        "shapes": {"x": [1, 3, 2, 1], "w": [2, 2, 2, 1], "y": [1, 2, 1, 2]},
        "histogram": {"0": 3, "2": 1},
        "cases": 1,
    }
    plain = {**case(op, row, runtime, target), "kind": "failure"}
    return {**plain, **judged, **told, **values, **found, **more}


def _crash() -> Record:
    replay = "opconform replay STRIDED_SLICE/bool/2m8 --runtime micro@cortex-m0"
    text = f"STRIDED_SLICE/bool/2m8 micro@cortex-m0: crash: HardFault at pc 0x00001f3a; replay: {replay}"
    plain = {"verdict": "crash", "clause": "", "error": 0.0, "limit": 0.0, "unit": "", "index": [], "got": []}
    told = {"rounding": {}, "message": text, "case": "STRIDED_SLICE/bool/2m8", "original": "STRIDED_SLICE/bool/9zz"}
    return failure("STRIDED_SLICE", "bool", "micro", "cortex-m0", **plain, **told, want=[True, False], replay=replay)


def _failures() -> Iterator[Record]:
    yield failure("CONV_2D", "int8", "micro", "cortex-m4")
    yield _crash()
    yield failure("CONV_2D", "int8", "litert", "xnnpack", because=KNOWN, issue=ISSUE, expected=KNOWN)
    yield failure(
        "SOFTMAX",
        "int16",
        "litert",
        "ref",
        because="A table of 513 entries bounds the exponential only to 2 lsb",
        expected=True,
    )


def _costs() -> Iterator[Record]:
    for op, size in (("ADD", 1180), ("CONV_2D", 3520), ("SOFTMAX", 1720)):
        for factor, target in ((1.3, "cortex-m0"), (1.0, "cortex-m4"), (1.6, "cortex-m55")):
            own = round(size * factor)
            told = {
                "own": own,
                "shared": 940,
                "alone": own + 5200,
                "stack": 240,
                "arena": 640,
                "instructions": own * 37,
            }
            budget = {"own": size + 600, "stack": 512, "instructions": size * 60}
            yield {
                "kind": "cost",
                "op": op,
                "target": target,
                **told,
                "budget": budget,
                "baseline": {**told, "own": own - 24, "instructions": own * 36},
            }


def _deviant(op: str, row: str, runtime: str, target: str) -> Record | None:
    match op, row, runtime, target:
        case "CONV_2D", "int8", "micro", "cortex-m4":
            return {
                "verdict": "wrong-value",
                "expected": False,
                "error": 2.0,
                "histogram": {"0": 500, "2": 12},
                "case": "CONV_2D/int8/x9k2d1",
            }
        case "CONV_2D", "int8", "litert", "xnnpack":
            return {"verdict": "wrong-value", "expected": KNOWN, "error": 2.0, "histogram": {"0": 500, "-1": 9, "2": 3}}
        case "SOFTMAX", "int16", "litert", "ref":
            why = "A table of 513 entries bounds the exponential only to 2 lsb"
            return {"verdict": "wrong-value", "expected": why, "error": 2.0, "histogram": {"0": 500, "-2": 3}}
        case "STRIDED_SLICE", "bool", "micro", "cortex-m0":
            return {"verdict": "crash", "expected": False, "error": 0.0, "limit": 0.0, "unit": "", "histogram": {}}
        case "WHERE", _, "micro", _:
            return {"verdict": "declined", "expected": True, "error": 0.0, "limit": 0.0, "unit": "", "histogram": {}}
        case _:
            return None


def model(name: str, runtime: str, target: str, **more: Any) -> Record:
    """One whole model on one runtime."""
    told = {"verdict": "pass", "expected": True, "examples": 64, "correct": 62, "same_class": 64, "worst": 0.0}
    rest = {"unit": "lsb", "flash": None, "meters": {"arena": 512}, "message": "", "operator": "", "seconds": 0.5}
    return {"kind": "model", "model": name, "runtime": runtime, "target": target, **told, **rest, **more}


def graph(name: str, **more: Any) -> Record:
    """The last line of a model."""
    steps = [{"op": "CONV_2D", "row": "int8", "why": ""}, {"op": "MYSTERY", "row": "", "why": "it has no spec"}]
    told = {"file": f"{name}.tflite", "task": "digits", "family": "conv", "format": "int8", "bytes": 5656}
    return {"kind": "graph", "model": name, "operators": steps, "examples": 64, "correct": 63, **told, **more}


WRONG = "y[0,3] = 5, want 7 (2 lsb, 1 allowed by specs/ops/softmax.yaml:9 T1)"
BAD = {"verdict": "wrong-value", "message": WRONG}
UNCLAIMED = "#0 X is not claimed"
BOARD = {"flash": 17635, "examples": 4, "correct": 3, "meters": {"arena": 3112, "stack": 660, "instructions": 530413}}
MODELS = (
    model("conv_int8", "lite", "host"),
    model("conv_int8", "micro", "cortex-m4", **BOARD),
    model("conv_int8", "litert", "ref", **BAD, expected=False, operator="#3 SOFTMAX/int8"),
    model("conv_int8", "litert", "xnnpack", **BAD, expected="it rounds in float"),
    graph("conv_int8"),
    model("odd<name>", "lite", "host", verdict="declined", expected=UNCLAIMED, message=UNCLAIMED,
          examples=0, correct=None, same_class=None, worst=None, meters={}),
    graph("odd<name>", correct=None, why="#1 MYSTERY: it has no spec"),
)  # fmt: skip


def records() -> list[Record]:
    """All lines of the run, in order."""
    rng = random.Random(7)
    lines: list[Record] = [header(), *(spec(op, rows) for op, rows in OPS.items())]
    lines.append(
        {
            "kind": "unavailable",
            "runtime": "tflm",
            "target": "host",
            "message": "tflite-micro is not installed: pip install 'opconform[tflm]'",
        }
    )
    for op, rows in OPS.items():
        for row in rows:
            for runtime, target, *_ in RUNTIMES:
                deviant = _deviant(op, row, runtime, target)
                if deviant is None or deviant["verdict"] == "wrong-value":
                    lines.extend(_passing(rng, op, row, runtime, target))
                if deviant is not None:
                    lines.append(case(op, row, runtime, target, **deviant))
            counts = {
                "R1": 31,
                "R2": 44,
                "T1": 48,
                "T2": 40,
                "L1": 6,
                "padding=SAME": 21,
                "padding=VALID": 27,
                "stride_h=3": 0,
            }
            lines.append({"kind": "coverage", "op": op, "row": row, "clauses": counts})
    groups = [["reference@host", "lite@host", "micro@host"], ["micro@cortex-m4"], ["litert@ref", "litert@xnnpack"]]
    told = {"case": "CONV_2D/int8/x9k2d1", "op": "CONV_2D", "row": "int8", "outlier": "micro@cortex-m4"}
    lines.append({"kind": "agreement", **told, "groups": groups, "error": 2.0, "unit": "lsb"})
    return [*lines, *_failures(), *_costs(), footer()]


def encode(lines: list[Record]) -> bytes:
    """Write lines as a log file holds them."""
    return "".join(json.dumps(line) + "\n" for line in lines).encode()


@pytest.fixture(scope="session")
def make() -> SimpleNamespace:
    """The makers of single lines, for tests that write their own small logs."""
    makers = {"case": case, "header": header, "footer": footer, "spec": spec, "failure": failure}
    makers |= {"models": lambda: [dict(one) for one in MODELS], "wrong": WRONG}
    return SimpleNamespace(**makers, encode=encode, log=lambda *lines: parse(encode(list(lines)), "small.jsonl"))


@pytest.fixture(scope="session")
def lines() -> list[Record]:
    return records()


@pytest.fixture(scope="session")
def log(lines: list[Record]) -> Log:
    return parse(encode(lines), "run.jsonl")
