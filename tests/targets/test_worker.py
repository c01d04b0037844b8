"""The micro worker on boards: right numbers, meters with every result, and a clean refusal of what does not fit."""

from __future__ import annotations

import numpy as np
import pytest

from opconform.harness.flatmodel import Graph, Node, TensorDef, write_model
from opconform.harness.isolate import Isolated
from opconform.harness.model import Declined, Produced, Rejected
from opconform.targets.launcher import Board

BOARDS = ("cortex-m0", "cortex-m4")  # the two that test_budgets.py builds anyway


def add_model(n: int) -> bytes:
    tensors = tuple(TensorDef(name, "float32", (1, n)) for name in "abc")
    return write_model([Graph(tensors, (Node("ADD", (0, 1), (2,)),), (0, 1), (2,))])


@pytest.mark.parametrize("name", BOARDS)
def test_the_worker_adds_and_says_what_it_cost(name: str) -> None:
    executor = Isolated(Board(name))
    rng = np.random.default_rng(7)
    vectors = [[rng.standard_normal((1, 16)).astype(np.float32) for _ in range(2)] for _ in range(300)]
    outcome = executor.execute(add_model(16), vectors)
    executor.close()
    assert isinstance(outcome, Produced)
    for (a, b), (y,) in zip(vectors, outcome.outputs, strict=True):
        np.testing.assert_array_equal(y, a + b)
    assert 100 < outcome.meters["instructions"] < 50_000
    assert 100 < outcome.meters["stack"] < 2048
    assert outcome.meters["arena"] >= 3 * 64
    assert outcome.meters["arena-touched"] > 0


@pytest.mark.parametrize("name", BOARDS)
def test_what_the_board_cannot_hold_is_declined_and_what_is_broken_rejected(name: str) -> None:
    executor = Isolated(Board(name))
    vector = [np.zeros((1, 1 << 20), np.float32)] * 2
    assert isinstance(executor.execute(add_model(1 << 20), [vector]), Declined)
    assert isinstance(executor.execute(add_model(4)[:80], [[np.zeros((1, 4), np.float32)] * 2]), Rejected)
    assert isinstance(executor.execute(add_model(4), [[np.zeros((1, 4), np.float32)] * 2]), Produced)
    executor.close()
