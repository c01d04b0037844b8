"""Every row of every operator against the reference: float64 definitions and integer twins that are not lite's."""

from collections import Counter
from collections.abc import Sequence
from functools import cache
from itertools import islice
from typing import Any

import pytest

from opconform.harness.compare import judge
from opconform.harness.encode import encode_case
from opconform.harness.generate.engine import Tier, cases
from opconform.harness.model import Array, Declined, Outcome, Produced, Rejected
from opconform.harness.runtime import InvalidModel, Unsupported
from opconform.harness.spec_load import load_all
from opconform.harness.unit import Oracle, prepare
from opconform.runtimes.lite import Lite
from opconform.runtimes.reference import Reference

CASES = 6  # per row: the exhaustive one, then pairs of attributes
TIER = Tier("test", rounds=1, random=1, vectors=2, invalid=1, laws=0, floor=0)


@cache
def specs() -> dict[str, Any]:
    return dict(load_all())


@cache
def oracle() -> Oracle:
    reference = Reference()
    return Oracle(reference.kernels, reference.twins)


def run(variant: str, model: bytes, vectors: Sequence[Sequence[Array]]) -> Outcome:
    try:
        session = Lite(variant).open(model)
        return Produced(tuple(tuple(session.run(vector)) for vector in vectors), session.meters())
    except Unsupported as error:
        return Declined(str(error))
    except InvalidModel as error:
        return Rejected(str(error))


def verdicts(op: str, row: str, variant: str = "") -> tuple[Counter[str], list[str]]:
    spec = specs()[op]
    kinds: Counter[str] = Counter()
    messages = []
    for built in islice(cases(spec, row, oracle().kernels[op], TIER, 11), CASES):
        outcome = run(variant, encode_case(spec, built.case), built.case.vectors)
        verdict = judge(prepare(spec, built, oracle()), outcome, "double_rounding")
        kinds[verdict.kind] += 1
        if verdict.kind != "pass":
            messages.append(
                f"{built.case.id}: {verdict.kind} {verdict.message} {outcome if not verdict.message else ''}"
            )
    return kinds, messages


@pytest.mark.parametrize("op", sorted(specs()))
def test_all_rows_compute_what_the_reference_does(op: str) -> None:
    for row in specs()[op].types:
        kinds, messages = verdicts(op, row)
        assert not messages, messages[0]
        assert kinds["pass"], f"{op}/{row}: no case was drawn"


@pytest.mark.parametrize("op", ["CONV_2D", "FULLY_CONNECTED"])
def test_the_delegate_computes_what_the_reference_does(op: str) -> None:
    kinds, messages = verdicts(op, "float32", "blas")
    assert not messages, messages[0]
    assert kinds["pass"]
