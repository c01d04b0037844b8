"""Judge random ops by the distribution of what they produce (docs/tolerances.md derives the bounds)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from opconform.harness.model import Array, Verdict
from opconform.harness.spec import OpSpec, Tolerance

#: A right generator is failed once in a billion samples: the seeds are fixed, so a pass stays a pass.
ERROR_RATE = 1e-9
#: So many numbers of 23 random bits are not drawn twice by chance.
FEW = 4


def judge_distribution(
    rule: Tolerance, spec: OpSpec, vectors: Sequence[Array], weights: Sequence[Array] = ()
) -> Verdict:
    """Compare the samples of all invocations with the distribution that a rule names.

    They are judged together, since a few samples show no bias. `weights` are the logits [rows, categories] of each
    invocation, for categories. An invocation that repeats the one before has not gone on.
    """
    if sum(np.size(vector) for vector in vectors) == 0:
        return Verdict("pass", rule.clause.label)
    where = _Where(rule.clause.label, f"{spec.file}:{rule.clause.line} {rule.clause.label}")
    if rule.distribution == "categorical":
        return _judge_categories(where, vectors, [_probabilities(logits) for logits in weights])
    return _judge_reals(rule, where, vectors)


@dataclass(frozen=True, slots=True)
class _Where:
    """The clause that is judged: its label, and how a message cites it."""

    label: str
    cite: str

    def wrong(self, unit: str, message: str, index: int) -> Verdict:
        return Verdict("wrong-value", self.label, math.inf, 0.0, unit, message, index)

    def measured(self, error: float, limit: float, unit: str, message: str, index: int = 0) -> Verdict:
        if error <= limit:
            return Verdict("pass", self.label, error, limit, unit)
        return Verdict(
            "wrong-value", self.label, error, limit, unit, f"{message}, {limit:.4g} allowed by {self.cite}", index
        )

    def repeats(self, count: int, index: int) -> Verdict:
        text = f"all {count} samples are those of the invocation before, {self.cite} asks for new ones"
        return self.wrong("repeats", text, index)


def _judge_reals(rule: Tolerance, where: _Where, vectors: Sequence[Array]) -> Verdict:
    """Judge real numbers by the Kolmogorov-Smirnov distance.

    Its critical value is sqrt(-ln(ERROR_RATE / 2) / (2 n)), the bound of Dvoretzky, Kiefer, Wolfowitz and Massart,
    which holds for every n.
    """
    low, high = (-math.inf, math.inf) if rule.distribution == "normal" else (rule.low, rule.high)
    for index, got in enumerate(vectors):
        bad = ~((got >= low) & (got < high) & np.isfinite(got))
        if bad.any():
            text = f"a sample is {got[bad][0]:.9g}, outside [{low:g}, {high:g}) asked by {where.cite}"
            return where.wrong("range", text, index)
        if index and got.size >= FEW and np.array_equal(got, vectors[index - 1]):
            return where.repeats(got.size, index)
    samples = np.sort(np.concatenate([np.asarray(v, dtype=np.float64).reshape(-1) for v in vectors]))
    share = _normal_share(samples) if rule.distribution == "normal" else (samples - low) / (high - low)
    distance = _distance(share)
    limit = math.sqrt(-math.log(ERROR_RATE / 2) / (2 * samples.size))
    text = f"{samples.size} samples are {distance:.4g} from {rule.distribution} (KS)"
    return where.measured(distance, limit, "KS distance", text)


def _normal_share(samples: Array) -> Array:
    """Return the probability that a normal number is below each sample."""
    return np.array([0.5 * math.erfc(-x / math.sqrt(2)) for x in samples.tolist()])


def _distance(shares: Array) -> float:
    """Return the largest distance of the empirical distribution of sorted samples from that of [0, 1)."""
    steps = np.arange(shares.size + 1) / shares.size
    return float(max(np.max(steps[1:] - shares), np.max(shares - steps[:-1])))


def _probabilities(logits: Array) -> Array:
    """Return softmax(logits) over the last axis in float64."""
    powers = np.exp(np.asarray(logits, dtype=np.float64) - np.max(logits, axis=-1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True))


def _judge_categories(where: _Where, vectors: Sequence[Array], weights: Sequence[Array]) -> Verdict:
    """Judge how often each category of each row comes, by Chernoff's bound.

    Of n samples a share q >= p of a category with probability p has a probability of at most exp(-n KL(q, p)), and
    likewise q <= p; the two sides of every category of every row share the error rate. Rows that are drawn with the
    same probabilities again count together.
    """
    pools: dict[bytes, tuple[Array, Array, int]] = {}
    for index, (got, odds) in enumerate(zip(vectors, weights, strict=True)):
        bad = (got < 0) | (got >= odds.shape[-1])
        if bad.any():
            text = f"a sample is {got[bad][0]}, outside the {odds.shape[-1]} categories asked by {where.cite}"
            return where.wrong("range", text, index)
        if index and _repeats(got, odds, vectors[index - 1], weights[index - 1]):
            return where.repeats(got.size, index)
        for samples, row in zip(got, odds, strict=True):
            counts = np.bincount(samples.astype(np.int64), minlength=row.size)
            before = pools.get(row.tobytes())
            pools[row.tobytes()] = (row, counts + before[1] if before else counts, index)
    tests = 2 * sum(row.size for row, _, _ in pools.values())
    worst = max((_surprise(row, counts) for row, counts, _ in pools.values()), key=lambda found: found[0])
    surprise, category, share, wanted = worst
    text = f"category {category} is {share:.4g} of a row's samples and should be {wanted:.4g}: {surprise:.4g} nats"
    return where.measured(surprise, math.log(tests / ERROR_RATE), "nats", text)


def _repeats(got: Array, odds: Array, before: Array, odds_before: Array) -> bool:
    """Tell whether an invocation draws just what the one before drew, and chance does not explain it."""
    if not np.array_equal(got, before):
        return False
    with np.errstate(divide="ignore"):
        alike = np.log(np.sum(odds * odds_before, axis=-1)).sum() * got.shape[-1]
    return bool(alike < math.log(ERROR_RATE))


def _surprise(odds: Array, counts: Array) -> tuple[float, int, float, float]:
    """Return n KL(q, p) of the category that deviates most, its number, its share q and its probability p."""
    total = int(counts.sum())
    share = counts / max(total, 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        parts = [np.where(q > 0, q * np.log(q / p), 0.0) for q, p in ((share, odds), (1 - share, 1 - odds))]
    surprises = total * (parts[0] + parts[1])
    worst = int(np.argmax(surprises))
    return float(surprises[worst]), worst, float(share[worst]), float(odds[worst])
