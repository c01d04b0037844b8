"""Training and distributed compute: what falls and what is shared is found out here, not asked for."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from opconform.harness.claims import Evidence, Subject, examine
from opconform.harness.claims_training import (
    GRADIENT_BOUND,
    check_distributed_compute,
    check_training,
    digits,
    first_weights,
    gradient_error,
    loss,
)

Subjects = Callable[[str], Subject]
Refuted = Callable[[Evidence, str], None]


def test_a_trainer_whose_gradients_are_right_and_whose_loss_falls_trains(trainer: Subjects) -> None:
    evidence = check_training(trainer("Right"))
    assert evidence.value is True, evidence
    assert evidence.measured.startswith("loss 2.")
    assert "digits.npz" in evidence.source


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("WrongGradient", "gradients are 0.1 of their norm off"),
        ("NeverLearns", "the loss did not fall"),
        ("FlattersItself", "its loss is 1."),
    ],
)
def test_a_trainer_that_is_wrong_does_not_train(trainer: Subjects, name: str, why: str, refuted: Refuted) -> None:
    refuted(check_training(trainer(name)), why)


def test_a_trainer_whose_process_ends_does_not_train(trainer: Subjects) -> None:
    evidence = examine(trainer("Dies"), check_training, "training").evidence
    assert evidence.value is False
    assert evidence.why == "its process ended with status 7"


def test_a_runtime_without_a_trainer_does_not_train(subject: Subjects) -> None:
    assert check_training(subject("lite")).value is False
    assert check_distributed_compute(subject("lite")).value is False


@pytest.mark.parametrize("name", ["Right", "Lingers"])
def test_processes_that_share_a_batch_get_the_gradients_of_all_of_it(trainer: Subjects, name: str) -> None:
    evidence = check_distributed_compute(trainer(name))
    assert evidence.value is True, evidence
    assert "loopback" in evidence.source


def test_processes_that_keep_to_themselves_do_not_share(trainer: Subjects, refuted: Refuted) -> None:
    refuted(check_distributed_compute(trainer("Alone")), "those of its own part alone")


def test_a_gradient_is_held_against_differences_of_the_loss() -> None:
    batch = digits()
    weights = first_weights(batch.x.shape[1])
    zero = tuple(np.zeros_like(part) for part in weights)
    assert gradient_error(zero, weights, batch) == pytest.approx(1.0)
    assert gradient_error(zero[:2], weights, batch) == float("inf")
    assert gradient_error(tuple(part * np.nan for part in zero), weights, batch) == float("inf")
    assert GRADIENT_BOUND < 0.001
    assert loss(zero, batch) == pytest.approx(np.log(10))
