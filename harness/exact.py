"""The integer definition of a case, and which rounding family reproduces an answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from opconform.harness.model import Array, Case, Quant, TensorType
from opconform.harness.numerics import FAMILIES, Rescale
from opconform.harness.spec import OpSpec

Twin = Callable[..., Any]
Results = tuple[tuple[Array, ...], ...]


def promised_family(spec: OpSpec, row: str) -> str:
    """Return the rounding family that a row's tolerance names, or ""."""
    return next((rule.family for rule in spec.tolerance[row] if rule.family), "")


def run_twin(case: Case, twin: Twin, rescale: Rescale) -> Results:
    """Run the integer definition over all vectors, state carried; raw integers in and out."""
    quants = _quants(case)
    dtypes = {t.name.partition("#")[0]: t.dtype for t in (*(i.tensor for i in case.inputs), *case.outputs)}
    state = [_initial(i.tensor) for i in case.inputs if i.role == "variable"]
    results = []
    for vector in case.vectors:
        arguments = list(_arguments(case, vector, state))
        produced = twin(*arguments, q=quants, dtypes=dtypes, rescale=rescale, **case.attributes)
        parts = produced if isinstance(produced, tuple) else (produced,)
        results.append(tuple(np.asarray(p) for p in parts[: len(case.outputs)]))
        state = [np.asarray(p) for p in parts[len(case.outputs) :]]
    return tuple(results)


def _initial(tensor: TensorType) -> Array:
    """Return the first state of a variable: the real zero."""
    zero = tensor.quant.zero_point[0] if tensor.quant is not None else 0
    return np.full(tensor.shape, zero, dtype=np.int64)


def _quants(case: Case) -> Mapping[str, Quant]:
    tensors = [i.tensor for i in case.inputs] + list(case.outputs)
    found = {t.name: t.quant for t in tensors if t.quant is not None}
    return found | {name.partition("#")[0]: quant for name, quant in reversed(found.items()) if "#" in name}


def _arguments(case: Case, vector: Sequence[Array], state: Sequence[Array]) -> Any:
    fed, kept = iter(vector), iter(state)
    for slot in case.inputs:
        match slot.role:
            case "intermediate":
                continue
            case "constant":
                yield _widened(slot.data)
            case "variable":
                yield next(kept)
            case "absent":
                yield None
            case _:
                yield _widened(next(fed))


def _widened(data: Array | None) -> Array | None:
    if data is None or data.dtype.kind not in "iu":
        return data
    return data.astype(np.int64)


def diagnose(case: Case, twin: Twin, outputs: Results) -> Mapping[str, float]:
    """Return, per rounding family, the share of elements of the answer that it reproduces, best first."""
    shares = {}
    for name, rescale in FAMILIES.items():
        with np.errstate(all="ignore"):
            definition = run_twin(case, twin, rescale)
        pairs = [(g, w) for got, want in zip(outputs, definition, strict=True) for g, w in zip(got, want, strict=True)]
        equal = sum(int(np.sum(np.asarray(g) == w)) for g, w in pairs if np.shape(g) == np.shape(w))
        total = sum(int(np.size(w)) for _, w in pairs)
        shares[name] = equal / total if total else 1.0
    return dict(sorted(shares.items(), key=lambda item: -item[1]))
