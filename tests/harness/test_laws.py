"""Each law passes a function that obeys it and catches one that breaks it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import count
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from opconform.harness.law_parts import Broken, NotApplicable, Subject
from opconform.harness.model import DTYPES, Array, Case
from opconform.harness.properties import LAWS

Function = Callable[..., Array]
X = np.array([[0.5, -2.0, 3.0], [1.0, 4.0, -0.25]], dtype=np.float32)
B = np.array([[2.0, 0.25, -1.0], [8.0, -3.0, 5.0]], dtype=np.float32)


def softmax(x: Array) -> Array:
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def drifting() -> Function:
    """Return a function that remembers how often it was called."""
    calls: Iterator[int] = count()
    return lambda x: x + np.float32(next(calls))


def scribbling() -> Function:
    """Return a function whose first input changes what comes after it."""
    seen: list[float] = []

    def run(x: Array) -> Array:
        seen.append(0.0)
        return x + np.float32(len(seen) > 1)

    return run


CASES: dict[str, tuple[Any, Function, Function]] = {
    "commutative": (["a", "b"], lambda a, b: a + b, lambda a, b: a - b),
    "batch_independent": ("x", lambda x: x * 2, lambda x: x - x[0]),
    "permutation_equivariant": ({"of": "x", "axis": 1}, lambda x: x * 2, lambda x: np.cumsum(x, 1)),
    "sums_to_one": ("y", softmax, lambda x: softmax(x) * np.float32(1.01)),
    "shift_invariant": ("x", lambda x: x - x.max(-1, keepdims=True), lambda x: x * 1),
    "order_preserving": (["x", "y"], lambda x: x * 3, lambda x: -x),
    "monotone": (["x", "y"], lambda x: x * 3, lambda x: np.abs(x)),
    "idempotent": ("x", lambda x: np.maximum(x, 0), lambda x: x / 2),
    "inverse_of": ("HALVE", lambda x: x * 2, lambda x: x * 2 + np.float32(0.01)),
    "homogeneous": ("x", lambda x: x * 3, lambda x: x + 1),
    "odd": ("x", lambda x: x**3, lambda x: x**2),
    "even": ("x", lambda x: x**2, lambda x: x**3),
    "bounded": ({"of": "y", "low": 0, "high": "6"}, lambda x: np.clip(x, 0, 6), lambda x: x * 2),
    "subset_of": ({"of": "y", "from": "x"}, lambda x: x[:, ::-1], lambda x: x + np.float32(1e-3)),
    "deterministic": (None, lambda x: x, drifting()),
    "inputs_untouched": (None, lambda x: x, scribbling()),
}


def run(case: Case, function: Function) -> tuple[tuple[Array, ...], ...]:
    return tuple((np.asarray(function(*vector), dtype=np.float32),) for vector in case.vectors)


def broken(name: str, argument: Any, case: Case, function: Function, allowed: float = 0.0) -> Broken | None:
    slack = [[np.asarray(allowed)] for _ in case.vectors]
    subject = Subject(case, run(case, function), lambda: slack, {}, {"HALVE": lambda y: y / 2})
    derive, check = LAWS[name]
    fresh = scribbling() if function.__qualname__.startswith("scribbling") else function
    return check(subject, argument, [run(derived, fresh) for derived in derive(subject, argument)])


def case_for(core: SimpleNamespace, name: str) -> Case:
    case: Case = core.case((2, 3), a=X, b=B) if name == "commutative" else core.case((2, 3), x=X)
    return replace(case, vectors=(*case.vectors, tuple(-data for data in case.vectors[0])))


def test_every_law_has_a_case_here() -> None:
    assert set(CASES) == set(LAWS)


@pytest.mark.parametrize("name", CASES)
def test_a_law_holds_for_a_function_that_obeys_it(core: SimpleNamespace, name: str) -> None:
    argument, right, _ = CASES[name]
    assert broken(name, argument, case_for(core, name), right, 2.0**-24) is None


@pytest.mark.parametrize("name", CASES)
def test_a_law_catches_a_function_that_breaks_it(core: SimpleNamespace, name: str) -> None:
    argument, _, mutant = CASES[name]
    found = broken(name, argument, case_for(core, name), mutant, 2.0**-24)
    assert found is not None
    assert found.message
    assert "\n" not in found.message


def test_an_inverse_may_need_further_inputs_and_attributes_and_gives_back_every_tensor(core: SimpleNamespace) -> None:
    def parted(*answers: Array, at: int, scale: int) -> tuple[Array, ...]:
        (y, where) = answers
        return (y[:at] / scale, y[int(where) :] / scale)

    case = core.case((2, 3), **{"x#0": X, "x#1": B})
    argument = {"op": "PARTED", "of": "x", "then": ["1 + 1"], "options": {"at": "2", "scale": "2"}}
    joined, wrong = np.concatenate([X, B]) * 2, np.concatenate([X, X]) * 2
    for answer, holds in ((joined, True), (wrong, False)):
        subject = Subject(case, ((answer,),), lambda: [[np.asarray(0.0)]], {}, {"PARTED": parted})
        found = LAWS["inverse_of"][1](subject, argument, [])
        assert (found is None) == holds


def test_a_difference_within_twice_the_tolerance_is_forgiven_to_floats(core: SimpleNamespace) -> None:
    def uneven(a: Array, b: Array) -> Array:
        return a + b + np.float32(2.0**-6) * (a > b)

    case = case_for(core, "commutative")
    assert broken("commutative", ["a", "b"], case, uneven, 2.0**-7) is None
    assert broken("commutative", ["a", "b"], case, uneven, 2.0**-8) is not None


def test_a_law_that_cannot_speak_of_a_case_says_so(core: SimpleNamespace) -> None:
    for name, argument in (("batch_independent", "x"), ("permutation_equivariant", {"of": "x", "axis": 1})):
        with pytest.raises(NotApplicable):
            broken(name, argument, core.case((), x=np.float32(1)), lambda x: x)
    with pytest.raises(NotApplicable):
        broken("odd", "w", core.case((2, 3), x=X), lambda x: x)


def test_numbers_of_bfloat16_are_found_beside_one_that_is_none(core: SimpleNamespace) -> None:
    dtype = DTYPES["bfloat16"][0]
    x = np.array([3.0, np.nan, -2.0, 0.5, np.nan, 1.0] * 8).astype(dtype)
    case = core.case((48,), x=x)
    for answer, holds in ((x[::-1], True), ((x * 2).astype(dtype), False)):
        subject = Subject(case, ((answer,),), lambda: [[np.asarray(0.0)]], {}, {})
        assert (LAWS["subset_of"][1](subject, {"of": "y", "from": "x"}, []) is None) == holds


def test_an_answer_of_another_shape_breaks_a_law_instead_of_the_harness(core: SimpleNamespace) -> None:
    calls = count()

    def growing(x: Array) -> Array:
        return np.zeros((2, 3 + next(calls)), dtype=np.float32)

    found = broken("even", "x", core.case((2, 3), x=X), growing)
    assert found is not None
    assert "shapes [2, 3] and [2, 4] differ" in found.message


@pytest.mark.parametrize(
    ("name", "argument"),
    [("subset_of", {"of": "y", "from": "x"}), ("homogeneous", "x"), ("bounded", {"of": "y", "high": "8"})],
)
def test_the_largest_number_may_stand_for_infinity_and_no_other_may(
    core: SimpleNamespace, name: str, argument: Any
) -> None:
    largest = np.finfo(np.float32).max
    x = np.where(X == 3, np.float32(np.inf), X)
    assert broken(name, argument, core.case((2, 3), x=x), lambda x: x) is None
    if name != "bounded":  # a formula does not see the infinity, and the largest number is beyond it
        assert broken(name, argument, core.case((2, 3), x=x), lambda x: np.clip(x, -largest, largest)) is None
    assert broken(name, argument, core.case((2, 3), x=x), lambda x: np.clip(x, -1e38, 1e38)) is not None
