"""tensorflow@xla: XLA runs the operators that it can compile, kernels run the others, and the answer is the same."""

from __future__ import annotations

import numpy as np
import pytest

from opconform.harness.claims_models import LAYER, chain
from opconform.runtimes.tensorflow import TensorFlow

pytest.importorskip("tensorflow")


@pytest.mark.parametrize(
    ("ops", "meters"),
    [
        ((LAYER, LAYER), {"delegated": 2, "parts": 1}),
        ((LAYER, "SEGMENT_SUM", LAYER), {"delegated": 2, "parts": 2}),
        (("SEGMENT_SUM",), {}),
    ],
)
def test_xla_takes_what_it_can_compile(ops: tuple[str, ...], meters: dict[str, int]) -> None:
    question = chain(*ops)
    session = TensorFlow("xla").open(question.model)
    for _ in range(2):
        assert question.is_answered(tuple(np.asarray(output) for output in session.run(question.inputs)))
    assert session.meters() == meters


def test_without_the_variant_nothing_is_delegated() -> None:
    question = chain(LAYER, LAYER)
    session = TensorFlow().open(question.model)
    assert question.is_answered(tuple(session.run(question.inputs)))
    assert session.meters() == {}
