"""Draw the quantization of inputs and fit that of outputs."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from opconform.harness.expr import Env
from opconform.harness.generate.source import Discard, Source
from opconform.harness.model import Array, Quant, Shape
from opconform.harness.numerics import integer_range
from opconform.harness.spec import QuantRule

#: Scales of drawn tensors: from a five-hundredth to a half, the span of real models.
LOWEST_EXPONENT, HIGHEST_EXPONENT = -9, -1
#: An output's scale relative to the one that just holds the results: below 1 some saturate.
FIT = (1.0, 0.5, 2.0, 1.25, 0.125)
#: The same for ties, relative to a scale of 8 bits whatever the dtype: their inputs are few quanta, and an output
#: that is finer than its inputs never comes to lie on a half.
TIES_FIT = (16.0, 1.0, 32.0, 4.0, 0.25)


#: Mantissas of large cases. Multipliers of two such scales and a power of two are rounded up to it, or lie so close
#: below it that 16 bits cannot hold them.
NEXT_TO_ONE = (1 - 2.0**-17, 1 + 2.0**-17, 1.0)


def draw_quant(rule: QuantRule, dtype: str, shape: Shape, env: Env, source: Source, ties: bool) -> Quant:
    """Draw or compute the quantization of one tensor (`same_as` is resolved by the caller)."""
    if rule.scale is not None and rule.kind in ("fixed", "per_axis"):
        return _computed(rule, env)
    if rule.kind == "per_axis":
        return _per_axis(rule, shape, source, ties)
    scale = _scale(rule, env, source, ties)
    return Quant((scale,), (_zero_point(rule, dtype, env, source),))


def _zero_point(rule: QuantRule, dtype: str, env: Env, source: Source) -> int:
    if rule.zero_point is not None:
        return int(rule.zero_point(env))
    return 0 if rule.kind == "symmetric" else source.integer(*integer_range(dtype))


def _computed(rule: QuantRule, env: Env) -> Quant:
    assert rule.scale is not None
    scale = np.atleast_1d(np.asarray(rule.scale(env), dtype=np.float64)).reshape(-1)
    zero = int(rule.zero_point(env)) if rule.zero_point is not None else 0
    values = tuple(float(np.float32(s)) for s in scale)
    return Quant(values, (zero,) * len(values), rule.axis if len(values) > 1 else 0)


def _scale(rule: QuantRule, env: Env, source: Source, ties: bool) -> float:
    low = math.ceil(math.log2(rule.low(env))) if rule.low else LOWEST_EXPONENT
    high = math.floor(math.log2(rule.high(env))) if rule.high else HIGHEST_EXPONENT
    exponent = source.integer(low, max(low, high))
    mantissa = source.integer(0, 63)
    part = NEXT_TO_ONE[mantissa % len(NEXT_TO_ONE)] if source.large else 1 + (0 if ties else mantissa) / 64
    grown = 2.0**exponent * part
    top = rule.high(env) if rule.high else math.inf
    return float(np.float32(min(grown, top)))


def _per_axis(rule: QuantRule, shape: Shape, source: Source, ties: bool) -> Quant:
    if rule.axis >= len(shape):
        raise Discard("axis")  # a shape that was broken on purpose may have lost the axis that scales differ along
    base = _scale(rule, {}, source, ties)
    count = max(1, shape[rule.axis])
    # Large cases have a period that those of loops over 4, 8 or 16 channels do not hide.
    steps = [source.integer(0, 7) for _ in range(min(count, 5 if source.large else 4))]
    shrink = [steps[c % len(steps)] / 4 for c in range(count)]
    scales = tuple(float(np.float32(base * 2.0 ** -(math.floor(s) if ties else s))) for s in shrink)
    return Quant(scales, (0,) * count, rule.axis if count > 1 else 0)


def draw_fit(source: Source) -> int:
    """Decide how tightly an output's scale fits (an index into FIT)."""
    return source.element(FIT)


def fit_output(
    rule: QuantRule, dtype: str, ideals: Sequence[Array], fit: int, ties: bool, env: Env, large: bool = False
) -> Quant:
    """Choose scale and zero point from the reference's results over all vectors.

    The scale is cut to 7 significant bits (or to a power of two for ties and large cases), so that the
    last bits of a machine's libm cannot change a case.
    """
    values = np.concatenate([np.asarray(ideal, dtype=np.float64).reshape(-1) for ideal in ideals])
    finite = values[np.isfinite(values)]
    low, high = (min(0.0, float(finite.min())), max(0.0, float(finite.max()))) if finite.size else (0.0, 0.0)
    first, last = integer_range(dtype)
    symmetric = rule.kind == "symmetric"
    most = 127 if ties else last
    reach = max(-low, high) / most if symmetric else (high - low) / (255 if ties else last - first)
    steps = 1 if ties or large else 128
    scale = _rounded(reach * (TIES_FIT if ties else FIT)[fit], steps) if reach > 1e-30 else 1.0
    if rule.low is not None and rule.high is not None:
        scale = min(max(scale, float(rule.low(env))), float(rule.high(env)))
    scale = float(np.float32(scale))
    zero = 0 if symmetric else min(max(first - math.floor(low / scale + 0.5), first), last)
    return Quant((scale,), (zero,))


def _rounded(scale: float, steps: int) -> float:
    mantissa, exponent = math.frexp(scale)
    return math.ldexp(math.ceil(mantissa * steps) / steps, exponent)
