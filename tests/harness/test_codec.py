"""Case ids: they rebuild their case alone, and refuse typing errors and changed specs."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from opconform.harness.generate.build import build, rebuild
from opconform.harness.generate.cases import Built, Request, plans
from opconform.harness.generate.codec import ALPHABET, BadCaseId
from opconform.harness.generate.source import Discard, seeded
from opconform.harness.model import Case
from opconform.harness.runner import load_oracle
from opconform.harness.spec_load import load_all


def drawn(spec: object, row: str, kernel: object, count: int) -> list[Built]:
    found = []
    for number in range(count * 5):
        try:
            plan = number % max(len(plans(spec, row)), 1) if number % 2 and plans(spec, row) else None  # type: ignore[arg-type]
            found.append(build(spec, row, seeded([1, number]), kernel, Request(plan=plan)))  # type: ignore[arg-type]
        except Discard:
            continue
    return found[:count]


def same(a: Case, b: Case) -> bool:
    """Compare everything, arrays bit for bit."""
    data = [
        [slot.data.tobytes() if slot.data is not None else b"" for slot in case.inputs]
        + [array.tobytes() + str(array.shape).encode() for vector in case.vectors for array in vector]
        for case in (a, b)
    ]
    types = [[slot.tensor for slot in case.inputs] + list(case.outputs) for case in (a, b)]
    return data[0] == data[1] and types[0] == types[1] and (a.id, a.attributes) == (b.id, b.attributes)


@pytest.mark.parametrize("op", ["ADD", "CONV_2D", "STRIDED_SLICE", "CONCATENATION", "SVDF", "WHILE", "RANDOM_UNIFORM"])
def test_a_case_is_rebuilt_from_its_id_alone(op: str) -> None:
    specs, kernels = load_all(), load_oracle().kernels
    for row in specs[op].rows[:2]:
        for built in drawn(specs[op], row, kernels[op], 4):
            again = rebuild(built.case.id, specs, kernels)
            assert same(built.case, again.case)
            for left, right in zip(built.ideals, again.ideals, strict=True):
                assert all(
                    np.array_equal(a, b, equal_nan=a.dtype.kind == "f") for a, b in zip(left, right, strict=True)
                )


def one(core: SimpleNamespace) -> tuple[object, Case]:
    spec = core.parse(core.abs_text, "abs.yaml")
    return spec, drawn(spec, "float32", core.kernels["ABS"], 1)[0].case


def test_one_wrong_character_is_refused(core: SimpleNamespace) -> None:
    spec, case = one(core)
    head, _, token = case.id.rpartition("/")
    wrong = [
        f"{head}/{token[:at]}{letter}{token[at + 1 :]}"
        for at in range(len(token))
        for letter in ALPHABET
        if letter != token[at]
    ]
    accepted = 0
    for identity in wrong:
        try:
            rebuild(identity, {"ABS": spec}, core.kernels)  # type: ignore[dict-item]
            accepted += 1
        except BadCaseId:
            pass
    # A check of ten bits lets one in 1,024 pass.
    assert accepted <= 1


@pytest.mark.parametrize(
    ("identity", "words"),
    [
        ("ABS", "is no case id; one looks like"),
        ("ABS/float32", "is no case id"),
        ("ABS/float32/a", "is no case id"),
        ("ABS/float32/ABC", "is no case id"),
        ("ABS/float32/../../etc", "is no case id"),
        ("", "is no case id"),
        ("ABZ/float32/000", "unknown op ABZ; known: ABS"),
        ("ABS/float31/000", "ABS has no row float31; it has: float32, int32"),
        ("ABS/float32/0zz", "the id is mistyped, or abs.yaml has changed"),
    ],
)
def test_an_id_that_cannot_be_read_is_one_line(core: SimpleNamespace, identity: str, words: str) -> None:
    spec, _ = one(core)
    with pytest.raises(BadCaseId) as caught:
        rebuild(identity, {"ABS": spec}, core.kernels)  # type: ignore[dict-item]
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new"), [("dim: [1, 4]", "dim: [1, 5]"), ("float32: [-100, 100]", "float32: [-99, 100]")]
)
def test_an_id_of_a_spec_that_has_changed_is_refused(core: SimpleNamespace, old: str, new: str) -> None:
    _, case = one(core)
    changed = core.parse(core.abs_text.replace(old, new), "abs.yaml")
    with pytest.raises(BadCaseId, match="has changed since it was made"):
        rebuild(case.id, {"ABS": changed}, core.kernels)


def test_a_change_that_does_not_touch_generation_keeps_ids(core: SimpleNamespace) -> None:
    _, case = one(core)
    changed = core.parse(core.abs_text.replace("{ulp: 0}", "{ulp: 7}").replace("Magnitude", "Size"), "abs.yaml")
    assert rebuild(case.id, {"ABS": changed}, core.kernels).case.id == case.id
