"""The judge of distributions: right generators pass, generators that are wrong in known ways do not."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from opconform.harness.distribution import judge_distribution
from opconform.harness.spec import Clause, Tolerance

T1 = Clause("T1", "tolerance", 9, "")
NORMAL = Tolerance(T1, "distribution", distribution="normal")
CATEGORICAL = Tolerance(T1, "distribution", distribution="categorical", of="logits")
SPEC: Any = SimpleNamespace(file="specs/ops/x.yaml")
LOGITS = np.log(np.array([[0.5, 0.3, 0.2], [0.1, 0.1, 0.8]]))


def normal(samples: Any) -> str:
    return judge_distribution(NORMAL, SPEC, np.split(np.asarray(samples), 4)).kind


def drawn(rng: np.random.Generator, odds: Any, count: int = 400) -> Any:
    return np.stack([rng.choice(len(row), count, p=row) for row in odds])


def categorical(vectors: list[Any]) -> str:
    return judge_distribution(CATEGORICAL, SPEC, vectors, [LOGITS] * len(vectors)).kind


def test_a_normal_generator_passes() -> None:
    for seed in range(20):
        assert normal(np.random.default_rng(seed).standard_normal(4000)) == "pass"


@pytest.mark.parametrize(
    "wrong",
    [
        lambda z: z * 1.2,
        lambda z: z + 0.15,
        np.abs,
        lambda z: np.clip(z, -1, 1),
        lambda z: np.random.default_rng(1).uniform(-1.7, 1.7, z.size),
        lambda z: np.where(np.arange(z.size) == 7, np.inf, z),
        lambda z: np.where(np.arange(z.size) == 7, np.nan, z),
        lambda z: np.tile(z[:1000], 4),
    ],
    ids=["wide", "shifted", "folded", "clipped", "uniform", "infinite", "nan", "repeated"],
)
def test_a_generator_that_is_not_normal_is_caught(wrong: Any) -> None:
    assert normal(wrong(np.random.default_rng(0).standard_normal(4000))) == "wrong-value"


def test_categories_drawn_by_their_probabilities_pass() -> None:
    for seed in range(20):
        rng = np.random.default_rng(seed)
        assert categorical([drawn(rng, np.exp(LOGITS)) for _ in range(4)]) == "pass"


@pytest.mark.parametrize(
    "odds",
    [
        [[1 / 3] * 3] * 2,
        [[0.1, 0.1, 0.8], [0.5, 0.3, 0.2]],
        [[0.3, 0.5, 0.2], [0.1, 0.1, 0.8]],
        [[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]],
        [[0.5, 0.5, 0.0], [0.1, 0.1, 0.8]],
    ],
    ids=["uniform", "rows exchanged", "categories exchanged", "likeliest only", "last left out"],
)
def test_categories_drawn_otherwise_are_caught(odds: Any) -> None:
    rng = np.random.default_rng(0)
    assert categorical([drawn(rng, odds) for _ in range(4)]) == "wrong-value"


def test_a_category_that_does_not_exist_and_a_repetition_are_caught() -> None:
    rng = np.random.default_rng(0)
    one = drawn(rng, np.exp(LOGITS))
    assert categorical([one, one]) == "wrong-value"
    assert categorical([np.where(np.arange(400) == 5, 3, one)]) == "wrong-value"
    assert categorical([np.where(np.arange(400) == 5, -1, one)]) == "wrong-value"


def test_a_single_category_may_come_again() -> None:
    zeros = np.zeros((1, 50), np.int32)
    assert judge_distribution(CATEGORICAL, SPEC, [zeros, zeros], [np.zeros((1, 1))] * 2).kind == "pass"
