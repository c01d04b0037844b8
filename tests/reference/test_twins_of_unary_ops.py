"""Every integer definition stays within the bound that its spec derives from the real-valued one."""

from __future__ import annotations

import numpy as np
import pytest

from opconform.harness.compare import judge, make_judge
from opconform.harness.exact import promised_family, run_twin
from opconform.harness.generate.build import build
from opconform.harness.generate.cases import Request, classes_of
from opconform.harness.generate.source import Discard, seeded
from opconform.harness.model import DTYPES, Produced
from opconform.harness.numerics import FAMILIES
from opconform.harness.spec import OpSpec
from opconform.harness.spec_load import load_spec, spec_folder
from opconform.runtimes.reference import Reference

OPS = (
    "ABS", "EXP", "RSQRT", "LOGISTIC", "TANH", "HARD_SWISH",
    "SOFTMAX", "L2_NORMALIZATION", "RESIZE_BILINEAR", "QUANTIZE",
)  # fmt: skip
SPECS = {op: load_spec(spec_folder() / f"{op.lower()}.yaml") for op in OPS}
ROWS = [(op, row) for op, spec in SPECS.items() for row in spec.rows if promised_family(spec, row)]
CASES = 20


def errors_of(spec: OpSpec, row: str, reference: Reference, number: int) -> str:
    """Return what the judge says against the integer definition in one drawn case; empty if nothing."""
    kernel = reference.kernels[spec.op]
    classes = classes_of(spec, row)
    try:
        request = Request(vectors=2, value_class=classes[number % len(classes)])
        built = build(spec, row, seeded([5, number]), kernel, request)
    except Discard:
        return ""
    results = run_twin(built.case, reference.twins[spec.op], FAMILIES["double_rounding"])
    for vector in results:
        for data, tensor in zip(vector, built.case.outputs, strict=True):
            info = np.iinfo(DTYPES[tensor.dtype][0])
            if data.size and (data.min() < info.min or data.max() > info.max):
                return f"{built.case.id}: {tensor.name} leaves {tensor.dtype}"
    stored = tuple(
        tuple(d.astype(DTYPES[t.dtype][0]) for d, t in zip(vector, built.case.outputs, strict=True))
        for vector in results
    )
    verdict = judge(make_judge(spec, built, kernel, results), Produced(stored), "double_rounding")
    return "" if verdict.kind == "pass" else f"{built.case.id}: {verdict.message}"


@pytest.mark.parametrize(("op", "row"), ROWS, ids=[f"{op}/{row}" for op, row in ROWS])
def test_the_integer_definition_stays_within_the_derived_bound(op: str, row: str) -> None:
    reference = Reference()
    found = [text for n in range(CASES) if (text := errors_of(SPECS[op], row, reference, n))]
    assert not found
