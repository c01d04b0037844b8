"""A smaller case in place of one that a target's memory cannot hold."""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterator

from opconform.harness.encode import encode_case
from opconform.harness.generate.cases import LEGAL, Built, Kernel, Request, plans
from opconform.harness.generate.engine import attempt
from opconform.harness.isolate import Executor
from opconform.harness.model import DTYPES, Case, Declined, Outcome
from opconform.harness.spec import OpSpec

#: Draws tried before a case that does not fit is left as it is.
DRAWS = 60


def tensor_bytes(case: Case) -> int:
    """Return the bytes of all tensors of a case, constants among them."""
    tensors = [*(slot.tensor for slot in case.inputs if slot.role != "absent"), *case.outputs]
    return sum(math.prod(tensor.shape) * DTYPES[tensor.dtype][0].itemsize for tensor in tensors)


def smaller_cases(spec: OpSpec, case: Case, kernel: Kernel) -> Iterator[Built]:
    """Yield smaller cases of the same plan, value class and number of vectors; the same ones for a case, always."""
    if case.choices[0] != LEGAL:
        return  # what is exhausted or broken on purpose has the size that it needs
    rows = plans(spec, case.row)
    planned = case.choices[1] if rows else 0  # the mode is recorded first, then the plan where there is a choice
    wanted = planned if planned < len(rows) else None
    request = Request(plan=wanted, vectors=len(case.vectors), value_class=case.classes[0])
    size = tensor_bytes(case)
    for number in range(DRAWS):
        built = attempt(spec, case.row, kernel, request, [zlib.crc32(case.id.encode()), number])
        if built is not None and tensor_bytes(built.case) < size:
            yield built


def smaller_that_fits(spec: OpSpec, case: Case, kernel: Kernel, outcome: Outcome, executor: Executor) -> Built | None:
    """Return the first smaller case that is not declined, where `outcome` says that memory was short; else None."""
    if not isinstance(outcome, Declined) or not outcome.no_memory:
        return None
    for small in smaller_cases(spec, case, kernel):
        if not isinstance(executor.execute(encode_case(spec, small.case), small.case.vectors), Declined):
            return small
    return None
