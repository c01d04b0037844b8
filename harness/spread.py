"""Bounds that follow an error through the steps of an op with memory: the rule `spread` of a tolerance.

The reference gives an op's own analysis (docs/spec-language.md, "Reference kernels and integer twins"); the spec
gives the noise of one step. Nothing here knows the op.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from opconform.harness.generate.cases import Built, real_value
from opconform.harness.model import Array, Input, TensorType
from opconform.harness.numerics import is_integer
from opconform.harness.spec import Tolerance


def spread_of(built: Built, rule: Tolerance, kernel: Callable[..., Any]) -> list[list[Any]]:
    """Return, per vector and output, how far a result may be from the reference: real numbers, or whole quanta.

    Raises ValueError where the op's reference has no analysis.
    """
    analysis = getattr(kernel, "spread", None)
    if analysis is None:
        raise ValueError(f"{built.case.op}: its tolerance is a spread, and its reference kernel has no analysis")
    case, noise = built.case, _evaluated(rule, built.env)
    carried: Any = None
    result = []
    for vector in case.vectors:
        arguments = _arguments(case.inputs, vector)
        with np.errstate(all="ignore"):
            errors, carried = analysis(*arguments, carried=carried, noise=noise, **case.attributes)
        result.append([_limit(error, tensor) for error, tensor in zip(errors, case.outputs, strict=True)])
    return result


def _evaluated(rule: Tolerance, env: Mapping[str, Any]) -> Mapping[str, Any]:
    return {
        name: tuple(float(part(env)) for part in value) if isinstance(value, tuple) else float(value(env))
        for name, value in rule.noise.items()
    }


def _arguments(inputs: Sequence[Input], vector: Sequence[Array]) -> list[Array | None]:
    """Return the real values of a vector's inputs; None for what is absent, and for state, which the analysis keeps."""
    fed = iter(vector)
    operands = [(slot, next(fed) if slot.role == "input" else slot.data) for slot in inputs]
    return [
        None if data is None else real_value(data, slot.tensor)
        for slot, data in operands
        if slot.role != "intermediate"
    ]


def _limit(error: Array, tensor: TensorType) -> Any:
    """Return the error itself, or the steps between two integers: both are rounded, the ideal by half a quantum."""
    if tensor.quant is None or not is_integer(tensor.dtype):
        return error
    return math.floor(float(np.max(error, initial=0.0)) / tensor.quant.scale[0] + 0.5)
