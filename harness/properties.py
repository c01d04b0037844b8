"""Laws: metamorphic properties that need no reference, by name.

A law turns a judged case into further cases (`derive`) and relates their outputs (`check`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from opconform.harness import laws
from opconform.harness.law_parts import Broken, NotApplicable, Outputs, Subject
from opconform.harness.model import Array, Case
from opconform.harness.numerics import spacing
from opconform.harness.spec import Law

__all__ = ("LAWS", "Broken", "NotApplicable", "Subject", "allowed_of", "applies")

Derive = Callable[[Subject, Any], Sequence[Case]]
Check = Callable[[Subject, Any, Sequence[Outputs]], Broken | None]


LAWS: Mapping[str, tuple[Derive, Check]] = {
    "commutative": (laws.commutative, laws.same_again),
    "batch_independent": (laws.reversed_batch, laws.check_batch),
    "permutation_equivariant": (laws.permuted, laws.check_permuted),
    "sums_to_one": (laws.no_cases, laws.sums_to_one),
    "shift_invariant": (laws.snapped, laws.check_pair),
    "order_preserving": (laws.no_cases, laws.order),
    "monotone": (laws.raised, laws.check_raised),
    "idempotent": (laws.twice, laws.check_twice),
    "inverse_of": (laws.no_cases, laws.inverse),
    "homogeneous": (laws.scaled, laws.check_scaled),
    "odd": (laws.negated, laws.check_odd),
    "even": (laws.negated, laws.check_even),
    "bounded": (laws.no_cases, laws.bounded),
    "subset_of": (laws.no_cases, laws.subset),
    "deterministic": (laws.again, laws.check_again),
    "inputs_untouched": (laws.first_vector_again, laws.check_untouched),
}


def applies(law: Law, case: Case, env: Mapping[str, Any]) -> bool:
    """Tell whether a law speaks of a case."""
    return law.clause.applies(case.row) and (law.when is None or bool(law.when(env)))


def allowed_of(
    limits: Sequence[Any], floors: Sequence[Any], kinds: Sequence[str], ideals: Sequence[Array], case: Case
) -> list[Array]:
    """Return, per output of one vector, the absolute error that the row allows (in real numbers)."""
    result = []
    for limit, floor, kind, ideal, tensor in zip(limits, floors, kinds, ideals, case.outputs, strict=True):
        match kind:
            case "ulp":
                size = limit * spacing(np.abs(ideal), tensor.dtype) + floor
            case "lsb" | "spread" if tensor.quant is not None or kind == "lsb":
                size = np.asarray((limit + 0.5) * (max(tensor.quant.scale) if tensor.quant else 1.0))
            case _:
                size = np.asarray(limit + floor)
        result.append(np.asarray(np.where(np.isfinite(size), size, 0.0)))
    return result
