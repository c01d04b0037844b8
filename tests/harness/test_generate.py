"""Generation: the same seed gives the same cases, exhausted rows hold every value, clauses are broken one at a time."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from opconform.harness.distribution import judge_distribution
from opconform.harness.generate import values
from opconform.harness.generate.cases import EXHAUSTIVE, MOST_VECTORS, Request
from opconform.harness.generate.engine import TIERS, attempt, cases
from opconform.harness.model import Quant
from opconform.harness.runner import load_oracle
from opconform.harness.spec import Clause, Tolerance
from opconform.harness.spec_load import load_all


def drawn(core: SimpleNamespace, seed: int) -> list[Any]:
    spec = core.parse(core.abs_text, "abs.yaml")
    return list(cases(spec, "float32", core.kernels["ABS"], TIERS["smoke"], seed))


def test_the_same_seed_gives_the_same_cases_and_another_seed_others(core: SimpleNamespace) -> None:
    first, again, other = drawn(core, 0), drawn(core, 0), drawn(core, 1)
    assert [b.case.id for b in first] == [b.case.id for b in again]
    for left, right in zip(first, again, strict=True):
        for a, b in zip(left.case.vectors, right.case.vectors, strict=True):
            assert all(x.tobytes() == y.tobytes() for x, y in zip(a, b, strict=True))
    assert {b.case.id for b in first} != {b.case.id for b in other}


def test_no_case_comes_twice_and_every_value_class_comes_up(core: SimpleNamespace) -> None:
    found = [built.case for built in drawn(core, 0)]
    assert len({case.id for case in found}) == len(found)
    assert {case.classes[0] for case in found} >= {"ordinary", "boundaries", "saturating", "specials", "invalid"}


def test_every_legal_case_fulfils_every_require(core: SimpleNamespace) -> None:
    require = core.parse(core.abs_text, "abs.yaml").require
    legal = [built for built in drawn(core, 3) if not built.case.violates]
    assert len(legal) > 5
    assert all(rule.that(built.env) for rule in require for built in legal)


def test_an_invalid_case_breaks_its_one_clause(core: SimpleNamespace) -> None:
    broken = [b.case for b in drawn(core, 0) if b.case.violates]
    assert [case.violates for case in broken] == ["E1"]
    assert broken[0].outputs[0].dtype == "int32"
    assert broken[0].inputs[0].tensor.dtype == "float32"


@pytest.mark.parametrize(
    ("op", "row", "count"), [("ABS", "int8", 256), ("ABS", "int16", 65536), ("LOGISTIC", "int8", 256)]
)
def test_an_exhausted_unary_row_holds_every_value_once(op: str, row: str, count: int) -> None:
    spec = load_all()[op]
    built = attempt(spec, row, load_oracle().kernels[op], Request(EXHAUSTIVE, vectors=MOST_VECTORS), [0])
    assert built is not None
    seen = np.concatenate([vector[0].reshape(-1) for vector in built.case.vectors])
    assert len(seen) == len(set(seen.tolist())) == count


def test_an_exhausted_binary_row_holds_every_pair_once() -> None:
    spec = load_all()["ADD"]
    built = attempt(spec, "int8", load_oracle().kernels["ADD"], Request(EXHAUSTIVE, vectors=MOST_VECTORS), [0])
    assert built is not None
    pairs = {pair for a, b in built.case.vectors for pair in zip(a.ravel().tolist(), b.ravel().tolist(), strict=True)}
    assert len(pairs) == 65536


def test_exhaustive_vectors_hold_every_value_of_the_dtype() -> None:
    found = np.concatenate([v[0] for v in values.exhaustive(["uint8"])])
    assert sorted(found.tolist()) == list(range(256))


@pytest.mark.parametrize("value_class", values.CLASSES)
@pytest.mark.parametrize("dtype", ["float32", "int8", "uint8", "int16", "int32", "int64"])
def test_values_stay_inside_their_range_in_every_class(value_class: str, dtype: str) -> None:
    quant = Quant((0.5,), (3,)) if dtype in ("int8", "uint8") else None
    for seed in range(20):
        data = values.fill(values.generator(seed), dtype, (50,), value_class, -5.0, 7.0, (), quant)
        assert data.dtype.name == dtype
        assert data.min() >= -5
        assert data.max() <= 7


def test_specials_put_nan_infinities_and_signed_zeros_among_the_values() -> None:
    rng = values.generator(1)
    data = values.fill(rng, "float32", (2000,), "specials", -5.0, 7.0, ("nan", "inf", "negative_zero", "denormal"))
    assert np.isnan(data).any()
    assert np.isposinf(data).any()
    assert np.isneginf(data).any()
    assert (np.signbit(data) & (data == 0)).any()
    assert ((data != 0) & (np.abs(data) < 1.2e-38)).any()


RULE = Tolerance(Clause("T1", "tolerance", 9, ""), "distribution")


def told(core: SimpleNamespace, samples: Any) -> str:
    spec = core.parse(core.abs_text, "abs.yaml")
    return judge_distribution(RULE, spec, [np.asarray(part) for part in np.split(np.asarray(samples), 4)]).kind


def test_a_uniform_generator_passes_the_judge_of_distributions(core: SimpleNamespace) -> None:
    for seed in range(20):
        assert told(core, np.random.default_rng(seed).random(4000)) == "pass"
    assert told(core, []) == "pass"


@pytest.mark.parametrize(
    "biased",
    [
        lambda u: u**1.5,
        lambda u: u * 0.9,
        lambda u: 0.1 + u * 0.9,
        lambda u: np.round(u * 4) / 5,
        lambda u: np.full_like(u, 0.5),
        lambda u: np.where(u < 0.5, u / 2, u),
        lambda u: np.where(np.arange(u.size) == 7, 1.0, u),
        lambda u: np.where(np.arange(u.size) == 7, -1e-9, u),
        lambda u: np.where(np.arange(u.size) == 7, np.nan, u),
    ],
    ids=["power", "short", "shifted", "coarse", "constant", "lopsided", "one", "negative", "nan"],
)
def test_a_biased_generator_is_caught(core: SimpleNamespace, biased: Any) -> None:
    assert told(core, biased(np.random.default_rng(0).random(4000))) == "wrong-value"


def test_a_generator_that_repeats_itself_is_caught(core: SimpleNamespace) -> None:
    samples = np.random.default_rng(0).random(1000)
    assert told(core, np.concatenate([samples] * 4)) == "wrong-value"
