"""CUSTOM: the operator TFLite_Detection_PostProcess, which turns a detector's numbers into boxes."""

from __future__ import annotations

from typing import Any

import numpy as np

from opconform.harness.model import Array
from opconform.harness.numerics import Undecided
from opconform.runtimes.reference.registry import kernel

#: Numbers closer than this may be told apart wrongly in float32: overlaps and scores are of the order of 1.
_CLOSE = 1e-4


@kernel("CUSTOM")
def detection_post_process(encodings: Array, scores: Array, anchors: Array, **options: Any) -> tuple[Array, ...]:
    """Return boxes [1, m * c, 4] as (top, left, bottom, right), classes and scores [1, m * c] and the number found [1].

    encodings [1, n, 4] and anchors [n, 4] hold (y, x, h, w) of box centres and sizes; scores [1, n, b + k] those of k
    classes behind b of background. m is max_detections, c max_classes_per_detection. With use_regular_nms boxes of
    every class are thinned out by themselves, and the m best of all are kept; without, boxes are thinned out by their
    best class, and each gives its c best classes. Raises Undecided where float32 could decide otherwise.
    """
    boxes = _decoded(encodings[0], anchors, options)
    known = scores[0][:, scores.shape[2] - options["num_classes"] :]
    most, per_box = int(options["max_detections"]), int(options["max_classes_per_detection"])
    pick = _regular if options["use_regular_nms"] else _fast
    found = pick(boxes, known, options)
    if not options["use_regular_nms"] and len(found) < most * per_box:
        raise Undecided("what lies behind the last box is not defined")
    rest = most * per_box - len(found)
    places = np.asarray([boxes[box] for box, _ in found] + [np.zeros(4)] * rest)
    classes = np.asarray([float(label) for _, label in found] + [0.0] * rest)
    values = np.asarray([known[box, label] for box, label in found] + [0.0] * rest)
    count = len(found) if options["use_regular_nms"] else len(found) // per_box
    return places[None], classes[None], values[None], np.asarray([float(count)])


def _decoded(encodings: Array, anchors: Array, options: Any) -> Array:
    """Return (top, left, bottom, right): centres move by a share of the anchor's size, sizes grow by a power of e."""
    y, x, h, w = encodings[:, :4].T
    anchor_y, anchor_x, anchor_h, anchor_w = anchors.T
    centre_y = y / options["y_scale"] * anchor_h + anchor_y
    centre_x = x / options["x_scale"] * anchor_w + anchor_x
    half_h = np.exp(h / options["h_scale"]) * anchor_h / 2
    half_w = np.exp(w / options["w_scale"]) * anchor_w / 2
    return np.stack([centre_y - half_h, centre_x - half_w, centre_y + half_h, centre_x + half_w], axis=1)


def _regular(boxes: Array, scores: Array, options: Any) -> list[tuple[int, int]]:
    found = [
        (box, label)
        for label in range(scores.shape[1])
        for box in _thinned(boxes, scores[:, label], int(options["detections_per_class"]), options)
    ]
    _require_apart([scores[pair] for pair in found])
    return sorted(found, key=lambda pair: -scores[pair])[: int(options["max_detections"])]


def _fast(boxes: Array, scores: Array, options: Any) -> list[tuple[int, int]]:
    for row in scores:
        _require_apart(row)
    per_box = int(options["max_classes_per_detection"])
    kept = _thinned(boxes, scores.max(axis=1), int(options["max_detections"]), options)
    return [(box, int(label)) for box in kept for label in np.argsort(-scores[box])[:per_box]]


def _thinned(boxes: Array, scores: Array, most: int, options: Any) -> list[int]:
    """Return at most `most` boxes, the best first, none of which overlaps a better one by more than the threshold."""
    least, limit = float(options["nms_score_threshold"]), float(options["nms_iou_threshold"])
    if np.any(np.abs(scores - least) < _CLOSE):
        raise Undecided("a score lies at the threshold")
    order = [int(i) for i in np.argsort(-scores) if scores[i] >= least]
    _require_apart(scores[order])
    kept: list[int] = []
    for box in order:
        overlaps = [_overlap(boxes[box], boxes[other]) for other in kept]
        if any(abs(overlap - limit) < _CLOSE for overlap in overlaps):
            raise Undecided("an overlap lies at the threshold")
        if not any(overlap > limit for overlap in overlaps):
            kept.append(box)
    return kept[:most]


def _overlap(a: Array, b: Array) -> float:
    """Return the area of the intersection over that of the union; 0 where one of the boxes has no area."""
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (a, b)]
    if min(areas) <= 0:
        return 0.0
    height = max(min(a[2], b[2]) - max(a[0], b[0]), 0.0)
    width = max(min(a[3], b[3]) - max(a[1], b[1]), 0.0)
    return float(height * width / (sum(areas) - height * width))


def _require_apart(scores: Any) -> None:
    if np.any(np.diff(np.sort(np.asarray(scores))) < _CLOSE):
        raise Undecided("two scores are equal or nearly so")
