"""Judge random ops by the distribution of what they produce."""

from __future__ import annotations

import math

import numpy as np

from opconform.harness.model import Array, Verdict
from opconform.harness.spec import OpSpec, Tolerance

#: A right generator is failed once in a billion samples: the seeds are fixed, so a pass stays a pass.
ERROR_RATE = 1e-9


def judge_distribution(rule: Tolerance, spec: OpSpec, got: Array, index: int) -> Verdict:
    """Compare samples with the uniform distribution on [low, high) by the Kolmogorov-Smirnov distance.

    The critical distance is sqrt(-ln(ERROR_RATE / 2) / (2 n)), the bound of Dvoretzky,
    Kiefer, Wolfowitz and Massart, which holds for every n.
    """
    samples = np.sort(got.astype(np.float64).reshape(-1))
    count = samples.size
    if count == 0:
        return Verdict("pass", rule.clause.label)
    bad = ~((samples >= rule.low) & (samples < rule.high))
    cite = f"{spec.file}:{rule.clause.line} {rule.clause.label}"
    if bad.any():
        value = samples[bad][0]
        message = f"a sample is {value:.9g}, outside [{rule.low:g}, {rule.high:g}) asked by {cite}"
        return Verdict("wrong-value", rule.clause.label, math.inf, 0.0, "range", message, index)
    expected = (samples - rule.low) / (rule.high - rule.low)
    steps = np.arange(count + 1) / count
    distance = float(max(np.max(steps[1:] - expected), np.max(expected - steps[:-1])))
    limit = math.sqrt(-math.log(ERROR_RATE / 2) / (2 * count))
    if distance <= limit:
        return Verdict("pass", rule.clause.label, distance, limit, "KS distance")
    message = f"{count} samples are {distance:.4g} from uniform (KS), {limit:.4g} allowed by {cite}"
    return Verdict("wrong-value", rule.clause.label, distance, limit, "KS distance", message, index)
