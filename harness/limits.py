"""Declared limits: which cases a runtime's manifest says it will not run, although it claims their row.

`when` is an expression (docs/spec-language.md) over the symbols and attributes of the case, its tensors by name,
and seven names of every case: `quantized` (whether any tensor is), `smallest_dim` and `largest_rank` over all tensors,
`absent`, the names of the optional inputs that are left out, `fed`, those of the inputs that come with every
invocation, `shortest_string`, the length of the shortest of all fed strings (0 where there is none), and `subnormal`,
whether a float that is fed or constant is nearer to zero than 2**-126, the least normal number of float32.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from opconform.harness.expr import Env, ExpressionError, compile_expression
from opconform.harness.expr_functions import SlotView
from opconform.harness.model import DTYPES, Array, Case, TensorType
from opconform.harness.registry import matches
from opconform.harness.runtime import Limit, Manifest, RuntimeFailure

_LEAST_NORMAL = 2.0**-126
_FLOATS = tuple(DTYPES[name][0] for name in ("float32", "float64", "bfloat16", "complex64"))


class LimitError(RuntimeFailure):
    """A limit of a manifest cannot be computed; the message names runtime, limit and case."""


def declared_limit(manifest: Manifest, case: Case) -> Limit | None:
    """Return the first limit of a manifest that covers a case, None where it is expected to run. Raises LimitError."""
    candidates = [limit for limit in manifest.limits if matches((limit.rows,), case.op, case.row)]
    if not candidates:
        return None
    env = environment(case)
    return next((limit for limit in candidates if _holds(manifest, limit, case, env)), None)


def _holds(manifest: Manifest, limit: Limit, case: Case, env: Env) -> bool:
    try:
        return bool(compile_expression(limit.when)(env))
    except ExpressionError as error:
        text = f"{manifest.name}: limit {limit.when!r} of {limit.rows}, case {case.id}: {error}"
        raise LimitError(f"{text}; correct it in runtime.yaml") from error


def environment(case: Case) -> dict[str, Any]:
    """Return what `when` may name for a case."""
    present = [slot.tensor for slot in case.inputs if slot.role not in ("absent", "intermediate")]
    tensors = [*present, *case.outputs]
    constants = [slot.data for slot in case.inputs if slot.data is not None]
    return {
        **case.symbols,
        **case.attributes,
        **{tensor.name: _view(tensor) for tensor in tensors},
        "quantized": any(tensor.quant is not None for tensor in tensors),
        "smallest_dim": min((dim for tensor in tensors for dim in tensor.shape), default=1),
        "largest_rank": max((len(tensor.shape) for tensor in tensors), default=0),
        "fed": tuple(slot.tensor.name for slot in case.inputs if slot.role == "input"),
        "shortest_string": min((len(s) for vector in case.vectors for s in _strings(vector)), default=0),
        "subnormal": any(_is_subnormal(data) for data in (*constants, *(x for vector in case.vectors for x in vector))),
        "absent": tuple(slot.tensor.name for slot in case.inputs if slot.role == "absent"),
    }


def _is_subnormal(data: Array) -> bool:
    if data.dtype not in _FLOATS:
        return False
    parts = (data.real, data.imag) if data.dtype.kind == "c" else (data.astype(np.float64),)
    return any(bool(((part != 0) & (np.abs(part) < _LEAST_NORMAL)).any()) for part in parts)


def _strings(vector: Sequence[Array]) -> list[bytes]:
    return [text for data in vector if data.dtype.kind == "S" for text in data.reshape(-1).tolist()]


def _view(tensor: TensorType) -> SlotView:
    quant = tensor.quant
    if quant is None:
        return SlotView(tensor.dtype, tensor.shape)
    return SlotView(tensor.dtype, tensor.shape, quant.scale[0], quant.zero_point[0])
