"""Judge random ops by the distribution of what they produce."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from opconform.harness.model import Array, Verdict
from opconform.harness.spec import OpSpec, Tolerance

#: A right generator is failed once in a billion samples: the seeds are fixed, so a pass stays a pass.
ERROR_RATE = 1e-9
#: So many numbers of 23 random bits are not drawn twice by chance.
FEW = 4


def judge_distribution(rule: Tolerance, spec: OpSpec, vectors: Sequence[Array]) -> Verdict:
    """Compare the samples of all invocations with the uniform distribution on [low, high).

    They are judged together, since a few samples show no bias, by the Kolmogorov-Smirnov distance. Its critical
    value is sqrt(-ln(ERROR_RATE / 2) / (2 n)), the bound of Dvoretzky, Kiefer, Wolfowitz and Massart, which
    holds for every n. An invocation that repeats the one before has not gone on.
    """
    label, cite = rule.clause.label, f"{spec.file}:{rule.clause.line} {rule.clause.label}"
    samples = np.sort(np.concatenate([np.asarray(v, dtype=np.float64).reshape(-1) for v in vectors]))
    if samples.size == 0:
        return Verdict("pass", label)
    for index, got in enumerate(vectors):
        bad = ~((got >= rule.low) & (got < rule.high))
        if bad.any():
            message = f"a sample is {got[bad][0]:.9g}, outside [{rule.low:g}, {rule.high:g}) asked by {cite}"
            return Verdict("wrong-value", label, math.inf, 0.0, "range", message, index)
        if index and got.size >= FEW and np.array_equal(got, vectors[index - 1]):
            message = f"all {got.size} samples are those of the invocation before, {cite} asks for new ones"
            return Verdict("wrong-value", label, math.inf, 0.0, "repeats", message, index)
    distance = _distance((samples - rule.low) / (rule.high - rule.low))
    limit = math.sqrt(-math.log(ERROR_RATE / 2) / (2 * samples.size))
    if distance <= limit:
        return Verdict("pass", label, distance, limit, "KS distance")
    message = f"{samples.size} samples are {distance:.4g} from uniform (KS), {limit:.4g} allowed by {cite}"
    return Verdict("wrong-value", label, distance, limit, "KS distance", message, 0)


def _distance(samples: Array) -> float:
    """Return the largest distance of the empirical distribution of sorted samples from that of [0, 1)."""
    steps = np.arange(samples.size + 1) / samples.size
    return float(max(np.max(steps[1:] - samples), np.max(samples - steps[:-1])))
