"""Figures of a load test: what is lost and what differs is counted, whatever the server does."""

from __future__ import annotations

import numpy as np
import pytest

from opconform.harness.model import Array
from opconform.harness.registry import resolve
from opconform.harness.serve_load import Share, client, figures, same
from opconform.harness.spec_load import spec_folder

A = np.array([1.0, -0.0], np.float32)


def test_figures_add_up_what_all_clients_saw() -> None:
    shares = [Share(10.0, 12.0, (0.001, 0.003), 1, ()), Share(11.0, 14.0, (0.002,), 0, ("gone",))]
    found = figures("serving@grpc", 2, 4, shares)
    assert (found.seconds, found.p50_ms, found.lost, found.different) == (4.0, 2.0, 1, 1)
    assert (found.rate, found.first_error) == (0.75, "gone")


def test_a_client_that_cannot_begin_loses_all_its_requests() -> None:
    share = client("serving@http://127.0.0.1:1", b"", [(A,)], [(A,)], 5)
    assert share.latencies == ()
    assert "refused" in share.errors[0]
    assert figures("serving@http://127.0.0.1:1", 1, 5, [share]).lost == 5


def test_a_client_counts_every_answer_that_is_another() -> None:
    data = (spec_folder().parent / "models" / "digits_int8.tflite").read_bytes()
    vector = (np.zeros((1, 8, 8, 1), np.int8),)
    right = resolve("lite").instantiate().open(data).run(vector)
    wrong = [right[0] + np.int8(1)]
    share = client("lite", data, [vector, vector], [right, wrong], 10)
    assert (len(share.latencies), share.different, share.errors) == (10, 5, ())


@pytest.mark.parametrize("other", [A.astype(np.float64), A.reshape(1, 2), np.array([1.0, 0.0], np.float32)])
def test_answers_are_the_same_only_bit_for_bit(other: Array) -> None:
    assert same([A], [A.copy()])
    assert not same([A], [other])
    assert not same([A], [A, A])
