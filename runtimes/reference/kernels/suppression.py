"""NON_MAX_SUPPRESSION: greedy choice of boxes, each of which rules out or weakens those that it overlaps.

Decisions are comparisons of rounded numbers. Where float32 could turn one, the kernels raise Undecided.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from opconform.harness.model import Array
from opconform.harness.numerics import Undecided
from opconform.runtimes.reference.registry import kernel

#: Relative errors of float32 are far below: 16 eps of an overlap, (17.5 / sigma + 5) eps of a score per chosen box.
_OVERLAP, _SCORE = 2.0**-18, 2.0**-12


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A box that may be chosen: its score now, what lowered it, and how many chosen boxes it was compared with."""

    index: int
    score: float
    factors: tuple[float, ...]
    compared: int


def _overlap(a: Array, b: Array, number: type) -> Any:
    """Return intersection over union in the arithmetic of `number`; 0 where one of the boxes has no area."""
    top_a, left_a, bottom_a, right_a = (
        *np.minimum(a[:2], a[2:]).astype(number),
        *np.maximum(a[:2], a[2:]).astype(number),
    )
    top_b, left_b, bottom_b, right_b = (
        *np.minimum(b[:2], b[2:]).astype(number),
        *np.maximum(b[:2], b[2:]).astype(number),
    )
    area_a, area_b = (bottom_a - top_a) * (right_a - left_a), (bottom_b - top_b) * (right_b - left_b)
    if area_a <= 0 or area_b <= 0:
        return number(0)
    zero = number(0)
    height = max(min(bottom_a, bottom_b) - max(top_a, top_b), zero)
    width = max(min(right_a, right_b) - max(left_a, left_b), zero)
    return height * width / (area_a + area_b - height * width)


def _decided_overlap(a: Array, b: Array, threshold: float) -> float:
    """Return the overlap; raise Undecided where it is close to the threshold and not exact in float32."""
    exact, rounded = float(_overlap(a, b, np.float64)), float(_overlap(a, b, np.float32))
    if exact != rounded and abs(exact - threshold) <= _OVERLAP * max(exact, threshold):
        raise Undecided("an overlap that rounding may bring to the other side of the threshold")
    return exact


def _above(a: float, b: float, rounded: bool) -> bool:
    """Tell whether a is above b; raise Undecided where they are close and one of them is rounded."""
    if rounded and abs(a - b) <= _SCORE * max(abs(a), abs(b)):
        raise Undecided("two scores that rounding may exchange")
    return a > b


def _precedes(a: _Candidate, b: _Candidate, scores: Array) -> bool:
    """Tell whether a comes before b: by score, then by position; like histories round alike."""
    if a.factors == b.factors and scores[a.index] == scores[b.index]:
        return a.index < b.index
    if _above(a.score, b.score, bool(a.factors or b.factors)):
        return True
    return a.score == b.score and a.index < b.index


def _suppress(
    boxes: Array, scores: Array, most: int, overlap: float, least: float, sigma: float
) -> list[tuple[int, float]]:
    waiting = [_Candidate(i, float(s), (), 0) for i, s in enumerate(scores) if s > least]
    chosen: list[tuple[int, float]] = []
    while waiting and len(chosen) < most:
        best = waiting[0]
        for other in waiting[1:]:
            best = other if _precedes(other, best, scores) else best
        waiting.remove(best)
        weakened = _weaken(best, boxes, chosen, overlap, least, sigma)
        if weakened is None:
            continue
        if weakened.factors == best.factors:
            chosen.append((best.index, best.score))
        else:
            waiting.append(weakened)
    return chosen


def _weaken(
    box: _Candidate, boxes: Array, chosen: list[tuple[int, float]], overlap: float, least: float, sigma: float
) -> _Candidate | None:
    """Compare a candidate with the boxes chosen since it was last looked at, the latest first; None: it is out.

    A sigma above 0 lowers scores and rules no box out by its overlap (tf.raw_ops.NonMaxSuppressionV5).
    """
    score, factors = box.score, box.factors
    for index, _ in reversed(chosen[box.compared :]):
        if sigma <= 0:
            if _decided_overlap(boxes[box.index], boxes[index], overlap) > overlap:
                return None
            continue
        shared = float(_overlap(boxes[box.index], boxes[index], np.float64))
        if shared > 0:
            factors = (*factors, shared)
            score *= float(np.exp(-0.5 / sigma * shared**2))
            if not _above(score, least, True):
                return None
    return _Candidate(box.index, score, factors, len(chosen))


def _padded(values: list[float], most: int, dtype: type) -> Array:
    y: Array = np.zeros(most, dtype)
    y[: len(values)] = values
    return y


@kernel("NON_MAX_SUPPRESSION_V4")
def non_max_suppression_v4(
    boxes: Array, scores: Array, max_output_size: Array, iou_threshold: Array, score_threshold: Array, **_: Any
) -> tuple[Array, Array]:
    """Return the chosen positions, padded with zeros, and how many there are."""
    indices, _scores, count = non_max_suppression_v5(
        boxes, scores, max_output_size, iou_threshold, score_threshold, np.asarray(0.0)
    )
    return indices, count


@kernel("NON_MAX_SUPPRESSION_V5")
def non_max_suppression_v5(
    boxes: Array,
    scores: Array,
    max_output_size: Array,
    iou_threshold: Array,
    score_threshold: Array,
    soft_nms_sigma: Array,
    **_: Any,
) -> tuple[Array, Array, Array]:
    """Return the chosen positions and their scores, padded with zeros, and how many there are."""
    most = int(max_output_size)
    limits = (float(iou_threshold), float(score_threshold), float(soft_nms_sigma))
    chosen = _suppress(boxes, scores, most, *limits)
    indices = _padded([index for index, _ in chosen], most, np.int64)
    return indices, _padded([score for _, score in chosen], most, np.float64), np.asarray(len(chosen), np.int64)
