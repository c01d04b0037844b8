"""TFLite_Detection_PostProcess: boxes from encodings and anchors, thinned out, the best first."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from opconform.harness.model import Array
from opconform.runtimes.lite.graph import Memory, Node, Prepared, Step
from opconform.runtimes.lite.jit import Number, bind, helper, kernel

_NEEDED = (
    "max_detections", "max_classes_per_detection", "num_classes", "nms_score_threshold", "nms_iou_threshold",
    "y_scale", "x_scale", "h_scale", "w_scale",
)  # fmt: skip
_MOST_BOXES = 1 << 16


@helper
def _overlap(boxes: Array, a: Number, b: Number) -> Number:
    area_a = (boxes[4 * a + 2] - boxes[4 * a]) * (boxes[4 * a + 3] - boxes[4 * a + 1])
    area_b = (boxes[4 * b + 2] - boxes[4 * b]) * (boxes[4 * b + 3] - boxes[4 * b + 1])
    if area_a <= 0 or area_b <= 0:
        return np.float32(0)
    height = min(boxes[4 * a + 2], boxes[4 * b + 2]) - max(boxes[4 * a], boxes[4 * b])
    width = min(boxes[4 * a + 3], boxes[4 * b + 3]) - max(boxes[4 * a + 1], boxes[4 * b + 1])
    if height <= 0 or width <= 0:
        return np.float32(0)
    return height * width / (area_a + area_b - height * width)


@helper
def _insert(order: Array, values: Array, count: Number, item: Number, value: Number, most: Number) -> Number:
    """Put an item where the values still fall, behind its equals; what does not fit is lost. Returns the new count."""
    place = count
    while place > 0 and values[place - 1] < value:
        place -= 1
    if place >= most:
        return count
    for i in range(min(count, most - 1), place, -1):
        order[i], values[i] = order[i - 1], values[i - 1]
    order[place], values[place] = item, value
    return min(count + 1, most)


@kernel
def decode(encodings: Array, anchors: Array, boxes: Array, scales: Array, p: Array) -> None:
    """Write corners. p: boxes, numbers of an encoding."""
    for i in range(p[0]):
        e, a = i * p[1], 4 * i
        y = encodings[e] / scales[0] * anchors[a + 2] + anchors[a]
        x = encodings[e + 1] / scales[1] * anchors[a + 3] + anchors[a + 1]
        h = np.float32(0.5) * np.exp(encodings[e + 2] / scales[2]) * anchors[a + 2]
        w = np.float32(0.5) * np.exp(encodings[e + 3] / scales[3]) * anchors[a + 3]
        boxes[a], boxes[a + 1], boxes[a + 2], boxes[a + 3] = y - h, x - w, y + h, x + w


@helper
def _thin(
    boxes: Array,
    scores: Array,
    first: Number,
    step: Number,
    limits: Array,
    most: Number,
    order: Array,
    values: Array,
    n: Number,
) -> Number:
    """Leave in `order` the boxes that stay, the best first; score i lies at first + i * step. Returns their number."""
    count = np.int64(0)
    for i in range(n):
        score = scores[first + i * step]
        if score >= limits[0]:
            count = _insert(order, values, count, i, score, n)
    kept = np.int64(0)
    for i in range(count):
        if kept == most:
            break
        stays = True
        for j in range(kept):
            if _overlap(boxes, order[j], order[i]) > limits[1]:
                stays = False
                break
        if stays:
            order[kept], values[kept] = order[i], values[i]
            kept += 1
    return kept


@helper
def _place(boxes: Array, out: Array, at: Number, box: Number) -> None:
    for k in range(4):
        out[4 * at + k] = boxes[4 * box + k]


@helper
def _best_of_all(
    boxes: Array, scores: Array, out: Array, classes: Array, best: Array, limits: Array,
    order: Array, values: Array, chosen: Array, tops: Array, p: Array,
) -> Number:  # fmt: skip
    """Thin out the boxes of every class by themselves, keep the best of all; arrays as in detect. Returns how many."""
    n, width, offset, labels, most = p[0], p[1], p[2], p[3], p[4]
    found = np.int64(0)
    for label in range(labels):
        kept = _thin(boxes, scores, offset + label, width, limits, p[6], order, values, n)
        for i in range(kept):
            found = _insert(chosen, tops, found, order[i] * labels + label, values[i], most)
    for i in range(found):
        classes[i], best[i] = chosen[i] % labels, tops[i]
        _place(boxes, out, i, chosen[i] // labels)
    return found


@helper
def _best_of_each(
    boxes: Array, scores: Array, out: Array, classes: Array, best: Array, limits: Array,
    order: Array, values: Array, chosen: Array, tops: Array, p: Array,
) -> Number:  # fmt: skip
    """Thin out boxes by their best class; each gives its best classes. Arrays as in detect. Returns how many boxes."""
    n, width, offset, labels, most, each = p[0], p[1], p[2], p[3], p[4], p[5]
    for i in range(n):
        top = scores[i * width + offset]
        for label in range(1, labels):
            top = max(top, scores[i * width + offset + label])
        tops[i] = top
    found = _thin(boxes, tops, 0, 1, limits, most, order, values, n)
    for i in range(found):
        box, count = order[i], np.int64(0)
        for label in range(labels):
            count = _insert(chosen, tops, count, label, scores[box * width + offset + label], each)
        for c in range(each):
            classes[i * each + c], best[i * each + c] = chosen[c], tops[c]
            _place(boxes, out, i * each + c, box)
    return found


@kernel
def detect(
    boxes: Array, scores: Array, out: Array, classes: Array, best: Array, total: Array, limits: Array,
    order: Array, values: Array, chosen: Array, tops: Array, p: Array,
) -> None:  # fmt: skip
    """Choose boxes. p: boxes, scores of a box, first class, classes, most detections, classes of each, most of a class,
    regular.

    order and values [boxes + 1] are room for one class; chosen and tops [most detections + 1] for the result.
    """
    for i in range(p[4] * p[5]):
        classes[i] = best[i] = 0
        for k in range(4):
            out[4 * i + k] = 0
    if p[7]:
        total[0] = _best_of_all(boxes, scores, out, classes, best, limits, order, values, chosen, tops, p)
    else:
        total[0] = _best_of_each(boxes, scores, out, classes, best, limits, order, values, chosen, tops, p)


def prepare_detection(node: Node, options: Mapping[str, float]) -> Prepared:
    """Prepare TFLite_Detection_PostProcess of one image in float32."""
    missing = [name for name in _NEEDED if name not in options]
    node.require(not missing, f"the options lack {', '.join(missing)}")
    encodings, scores = node.input(0), node.input(1)
    _check_tensors(node)
    n, labels = _sizes(node, int(options["num_classes"]))
    most, each = int(options["max_detections"]), int(options["max_classes_per_detection"])
    regular, per_class = bool(options.get("use_regular_nms", 0)), int(options.get("detections_per_class", 100))
    node.require(min(most, each, per_class) >= 1, f"{most} detections of {each} classes; at least 1 is needed")
    each_kept = min(each, labels)
    node.require(each_kept == each, f"{each} classes of a detection and {labels} in all")
    if most * each > _MOST_BOXES:
        raise node.unsupported(f"{most * each} detections; at most {_MOST_BOXES} are supported")
    scales = np.array([options[f"{axis}_scale"] for axis in "yxhw"], np.float32)
    node.require(bool((scales > 0).all()), f"scales {scales.tolist()}; numbers above zero are allowed")
    width = scores.shape[2]
    p = np.array([n, width, width - labels, labels, most, each, per_class, regular])
    shape = np.array([n, encodings.shape[2]])
    limits = np.array([options["nms_score_threshold"], options["nms_iou_threshold"]], np.float32)
    room = max(n, most, each) + 1

    def build(m: Memory) -> Step:
        boxes, order, values, chosen, tops = (
            area.view(dtype) for area, dtype in zip(m.scratch, ("f4", "i8", "f4", "i8", "f4"), strict=True)
        )
        steps = (
            bind(decode, m.inputs[0], m.inputs[2], boxes, scales, shape),
            bind(detect, boxes, m.inputs[1], *m.outputs, limits, order, values, chosen, tops, p),
        )

        def run() -> None:
            for step in steps:
                step()

        return run

    shapes = ((1, most * each, 4), (1, most * each), (1, most * each), (1,))
    return Prepared(shapes, build, (16 * n, 8 * room, 4 * room, 8 * room, 4 * room))


def _check_tensors(node: Node) -> None:
    for operand in (*(node.input(i) for i in range(3)), *node.outputs):
        if operand.dtype != np.float32:
            raise node.unsupported(f"{operand.dtype} tensors; float32 is supported")
    node.require(len(node.outputs) == 4, f"{len(node.outputs)} outputs; 4 are needed")


def _sizes(node: Node, labels: int) -> tuple[int, int]:
    encodings, scores, anchors = (node.input(i).shape for i in range(3))
    if len(encodings) != 3 or encodings[0] != 1 or encodings[2] < 4:
        raise node.invalid(f"encodings {list(encodings)}; [1, n, 4] is allowed")
    n = encodings[1]
    if len(scores) != 3 or scores[:2] != (1, n) or scores[2] - labels not in (0, 1) or labels < 1:
        raise node.invalid(f"scores {list(scores)}; [1, {n}, {labels}] is allowed, or one class of background more")
    if anchors != (n, 4):
        raise node.invalid(f"anchors {list(anchors)}; [{n}, 4] is allowed")
    return n, labels
