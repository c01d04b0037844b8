"""The strict loader: each kind of malformed spec is one line with file, line, finding and remedy."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from opconform.harness.spec_load import load_all, load_spec, parse_spec, spec_folder
from opconform.harness.yamlish import SpecError

# (what stands in the spec, what stands there instead, words of the error); the error's line is that of the mark @@
MALFORMED = [
    ("summary: Magnitude", "@@sumary: Magnitude", "unknown key 'sumary' in a spec; allowed: op, summary"),
    ("summary: Magnitude of every element.\n", "", "a spec lacks 'summary'; add it"),
    ("summary: Magnitude of every element.", "@@summary: <one sentence>", "still holds the placeholder"),
    ("summary: Magnitude of every element.", "@@summary: 5", "'summary' must be text"),
    ("op: ABS", "@@op: ABSOLUTELY", "unknown op 'ABSOLUTELY'; it must stand in harness/schema.py"),
    ("  x: {shape: A}", "@@  x: {shap: A}", "unknown key 'shap' in slot x; allowed: shape, constant"),
    ("  x: {shape: A}", "@@  x: {shape: C}", "uses 'C', which nothing defines"),
    ("  x: {shape: A}", "@@  x: {shape: 'A +'}", "is not an expression"),
    ("  x: {shape: A}", "@@  x: {shape: A.__class__}", "is not allowed"),
    ("  x: {shape: A}", "@@  x: {shape: A, constant: maybe}", "allowed: true, false, either"),
    ("  x: {shape: A}", "@@  x: [A]", "slot x must be a mapping"),
    ("  x: {shape: A}", "@@  x: {shape: A, range: 5}", "range must be [LO, HI]"),
    ("domain:", "@@attributes: {colour: {bool: true}}\ndomain:", "ABS has no option 'colour'; allowed: none"),
    ("domain:", "attributes:\n@@  c: {bool: true, int: [0, 1]}\ndomain:", "needs exactly one of enum, int"),
    ("  A: {rank: [0, 3], dim: [1, 4]}", "@@  A: {ranks: [0, 3]}", "is no way to draw; allowed: [LO, HI] or one of"),
    ("  A: {rank: [0, 3], dim: [1, 4]}", "@@  A: {rank: [0, 3], dims: [1, 4]}", "unknown key 'dims'"),
    ("  A: {rank: [0, 3], dim: [1, 4]}", "@@  A: {rank: [0, 3, 4], dim: [1, 4]}", "rank must be [LO, HI]"),
    ("specials: [nan, inf, negative_zero]", "specials: [nan, infinity]", "unknown special 'infinity'; known: nan, inf"),
    ("  int32: {x: int32, y: int32}", "@@  int32: int32", "row int32 must map slots to dtypes"),
    ("  int32: {x: int32, y: int32}", "@@  int32: {x: int32}", "row int32 gives no dtype for y; every slot needs one"),
    ("  int32: {x: int32, y: int32}", "@@  int32: {x: int32, y: int32, z: int8}", "names 'z', which is no slot"),
    ("  int32: {x: int32, y: int32}", "@@  int32: {x: int33, y: int32}", "unknown dtype 'int33' of x; known: float32"),
    ("  R1: {that: size(A) <= 64, why: small}", "@@  R1: {that: size(A) <= 64}", "require R1 lacks 'why'; add it"),
    ("  R1: {that: size(A) <= 64, why: small}", "@@  R1: {that: size(Q) <= 64, why: w}", "'Q', which nothing defines"),
    ("  R1: {that: size(A) <= 64, why: small}", "@@  R1: {that: volume(A), why: w}", "no function volume; known:"),
    ("  R1: {that", "@@  R1: {for: int9, that", "'int9' matches no row; rows: float32, int32"),
    ("  E1: {for: float32, dtype: {y: int32}", "@@  E1: {for: float32", "invalid E1 changes nothing; allowed: one of"),
    ("dtype: {y: int32}", "dtype: {y: int5}", "unknown dtype 'int5' of y"),
    ("dtype: {y: int32}", "dtype: int32", "'dtype' must be a mapping"),
    ("  int32: exact\n", "", "row int32 has no tolerance; add one"),
    ("  int32: exact", "  int32: exact\n@@  int7: exact", "'int7' is no row; rows: float32, int32"),
    ("  int32: exact", "@@  int32: approx", "must be a mapping"),
    ("  int32: exact", "@@  int32: {digits: 3}", "unknown key 'digits'"),
    ("  int32: exact", "@@  int32: {lsb: 1, exact: bankers}", "unknown rounding family 'bankers'; known:"),
    ("  int32: exact", "@@  int32: {distribution: cauchy}", "unknown distribution 'cauchy'; known: uniform, normal"),
    ("  int32: exact", "@@  int32: {lsb: <bound>}", "still holds the placeholder <bound>"),
    ("  int32: exact", "@@  int32: {why: because}", "has one of ulp, bound, lsb, spread, distribution"),
    ("  - even: {", "@@  - evenn: {", "unknown law 'evenn'; known: commutative, batch_independent"),
    ("{argument: x, types: [float32]}", "{argument: x, types: [float64]}", "'float64' matches no row"),
    ("{argument: x, types: [float32]}", "{argument: x, type: [float32]}", "unknown key 'type' in law even"),
    ("tolerance:", "quantization:\n@@  int9: {x: per_tensor}\ntolerance:", "'int9' is no row"),
    ("tolerance:", "quantization:\n  int32:\n@@    z: per_tensor\ntolerance:", "'z' is no slot; slots: x, y"),
    ("tolerance:", "quantization:\n  int32: {x: {zero_point: 0}}\ntolerance:", "gives no scale"),
    ("tolerance:", "budgets:\n@@  cortex-m4: {flash: 3}\ntolerance:", "unknown key 'flash' in budget of cortex-m4"),
    ("tolerance:", "budgets:\n@@  cortex-m4: {own: -3}\ntolerance:", "a whole number is needed"),
    ("tolerance:", "exhaustive: [z]\ntolerance:", "'z' is no slot"),
    ("tolerance:", "graph: {node: []}\ntolerance:", "unknown key 'node' in graph"),
    ("  y: {shape: A}\n", "  y: {shape: A}\n@@  y: {shape: A}\n", "key 'y' stands twice (first on line 6)"),
]


@pytest.mark.parametrize(("old", "new", "words"), MALFORMED, ids=[words[:40] for _, _, words in MALFORMED])
def test_a_malformed_spec_is_one_line_with_file_and_line(core: SimpleNamespace, old: str, new: str, words: str) -> None:
    assert old in core.abs_text, "the test's own change must fit"
    text = core.abs_text.replace(old, new, 1)
    line = text[: text.index("@@")].count("\n") + 1 if "@@" in text else None
    with pytest.raises(SpecError) as caught:
        parse_spec(text.replace("@@", ""), "abs.yaml")
    message = str(caught.value)
    assert words in message
    assert "\n" not in message
    assert message.startswith(f"abs.yaml:{line}:" if line else "abs.yaml:")


def test_the_unchanged_spec_loads_with_its_clauses_labelled(core: SimpleNamespace) -> None:
    spec = parse_spec(core.abs_text, "abs.yaml")
    assert [clause.label for clause in spec.clauses] == ["R1", "E1", "T1", "T2", "L1"]
    assert spec.rows == ("float32", "int32")


def test_the_name_of_the_file_must_be_the_op(core: SimpleNamespace, tmp_path: Path) -> None:
    path = tmp_path / "absolute.yaml"
    path.write_text(core.abs_text)
    with pytest.raises(SpecError, match=r"must be named abs\.yaml"):
        load_spec(path)


@pytest.mark.parametrize("text", ["- op: ABS\n", "just text\n", "5\n"])
def test_a_file_that_is_no_mapping_is_refused(text: str) -> None:
    with pytest.raises(SpecError, match="a spec must be a mapping"):
        parse_spec(text, "abs.yaml")


def error_of(text: str) -> str:
    """Return the loader's message, "none" where the spec loads; any other exception is a failure of the test."""
    try:
        parse_spec(text, "abs.yaml")
    except SpecError as error:
        return str(error)
    return "none"


def test_cutting_a_spec_anywhere_never_gives_a_traceback(core: SimpleNamespace) -> None:
    for end in range(0, len(core.abs_text), 7):
        assert error_of(core.abs_text[:end]).startswith(("abs.yaml:", "none"))


def test_loading_a_spec_executes_nothing(core: SimpleNamespace, tmp_path: Path) -> None:
    trap = tmp_path / "trap"
    for code in (f"open('{trap}', 'w')", f"__import__('pathlib').Path('{trap}').touch()"):
        with pytest.raises(SpecError):
            parse_spec(core.abs_text.replace("size(A) <= 64", f'"{code}"'), "abs.yaml")
    assert not trap.exists()


def test_every_shipped_spec_loads() -> None:
    assert len(load_all()) >= 35


def _replaced(node: Any, junk: Any) -> Iterator[Any]:
    """Yield the document once for each node, with that node replaced."""
    yield junk
    parts = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, value in list(parts):
        for changed in _replaced(value, junk):
            copy = dict(node) if isinstance(node, dict) else list(node)
            copy[key] = changed
            yield copy


@pytest.mark.parametrize("name", ["conv_2d", "abs", "while", "random_uniform"])
@pytest.mark.parametrize("junk", [5, "junk", [1], {"k": 1}, {}, None], ids=repr)
def test_junk_in_any_place_of_a_spec_is_an_error_of_the_spec_or_nothing(name: str, junk: object) -> None:
    document = yaml.safe_load((spec_folder() / f"{name}.yaml").read_text())
    for changed in itertools.islice(_replaced(document, junk), 0, None, 6 if name == "conv_2d" else 2):
        assert "\n" not in error_of(json.dumps(changed))
