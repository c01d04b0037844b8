"""Ops whose answer depends on order or equality: TOPK_V2, UNIQUE, NON_MAX_SUPPRESSION_V4 and V5."""

from __future__ import annotations

import math

import numpy as np

from opconform.harness.model import Array
from opconform.runtimes.lite import shapes
from opconform.runtimes.lite.floatmath import exp64
from opconform.runtimes.lite.graph import Memory, Node, Operand, Prepared, Step
from opconform.runtimes.lite.jit import Number, bind, helper, kernel
from opconform.runtimes.lite.quantize import INT8, INT16, INT32, UINT8, same_quantization

_INT64, _FLOAT = np.dtype(np.int64), np.dtype(np.float32)
_ORDERED = (_FLOAT, INT8, UINT8, INT16, INT32, _INT64)


@kernel
def top(x: Array, values: Array, places: Array, p: Array) -> None:
    """Keep the largest of each row in falling order, equal ones by place. p: rows, elements of a row, how many."""
    n, most = p[1], p[2]
    for r in range(p[0]):
        held = np.int64(0)
        for i in range(n if most > 0 else 0):
            value = x[r * n + i]
            if held == most and not value > values[r * most + most - 1]:
                continue
            at = held if held < most else most - 1
            held = held + 1 if held < most else held
            while at > 0 and value > values[r * most + at - 1]:
                values[r * most + at] = values[r * most + at - 1]
                places[r * most + at] = places[r * most + at - 1]
                at -= 1
            values[r * most + at] = value
            places[r * most + at] = i


@kernel
def unique(x: Array, y: Array, numbers: Array, table: Array, p: Array, count: Array) -> None:
    """Number the different bits in order of appearance. p: elements, places of the table less one, bits below the sign.

    The table, a power of two and twice as long as x at least, holds 1 + the number of what hashes there. Where p[2]
    is not 0, x are the bits of floats and both zeros are one element.
    """
    found = np.int64(0)
    for slot in range(p[1] + 1):
        table[slot] = 0
    for i in range(p[0]):
        bits = np.int64(x[i])
        key = np.int64(0) if p[2] != 0 and (bits & p[2]) == 0 else bits
        h: Number = (key ^ (key >> 17) ^ (key >> 41)) * np.int64(0x5851F42D4C957F2D)
        h = (h >> 32) & p[1]
        while table[h] != 0:
            other = np.int64(y[table[h] - 1])
            if other == bits or (p[2] != 0 and ((bits | other) & p[2]) == 0):
                break
            h = (h + 1) & p[1]
        if table[h] == 0:
            y[found] = x[i]
            found += 1
            table[h] = found
        numbers[i] = table[h] - 1
    count[0] = found


@helper
def overlap(boxes: Array, a: Number, b: Number) -> Number:
    """Return intersection over union of two boxes; 0 where one has no area."""
    top_a, bottom_a = min(boxes[4 * a], boxes[4 * a + 2]), max(boxes[4 * a], boxes[4 * a + 2])
    left_a, right_a = min(boxes[4 * a + 1], boxes[4 * a + 3]), max(boxes[4 * a + 1], boxes[4 * a + 3])
    top_b, bottom_b = min(boxes[4 * b], boxes[4 * b + 2]), max(boxes[4 * b], boxes[4 * b + 2])
    left_b, right_b = min(boxes[4 * b + 1], boxes[4 * b + 3]), max(boxes[4 * b + 1], boxes[4 * b + 3])
    area_a, area_b = (bottom_a - top_a) * (right_a - left_a), (bottom_b - top_b) * (right_b - left_b)
    height = max(min(bottom_a, bottom_b) - max(top_a, top_b), np.float32(0))
    width = max(min(right_a, right_b) - max(left_a, left_b), np.float32(0))
    shared = height * width
    union = area_a + area_b - shared
    return shared / union if area_a > 0 and area_b > 0 else np.float32(0)


@helper
def highest(scores: Array, seen: Array, boxes: Number) -> np.int64:
    """Return the first box of the highest score, of those with seen >= 0; -1 where there is none."""
    best = np.int64(-1)
    for i in range(boxes):
        if seen[i] >= 0 and (best < 0 or scores[i] > scores[best]):
            best = np.int64(i)
    return best


@kernel
def suppress(
    boxes: Array, scores: Array, most_shared: Array, least: Array, sigma: Array, chosen: Array, kept: Array,
    count: Array, now: Array, seen: Array, p: Array, status: Array,
) -> None:  # fmt: skip
    """Choose boxes by falling score. p: boxes, most. now: scores as lowered so far; seen: chosen boxes compared, or -1.

    status[0] is 1 where a threshold or sigma is out of range. Source: Bodla et al., Soft-NMS, 2017.
    """
    status[0] = 0 if most_shared[0] >= 0 and most_shared[0] <= 1 and sigma[0] >= 0 else 1
    count[0] = 0
    for k in range(p[1]):
        chosen[k] = 0
        kept[k] = 0
    for i in range(p[0]):
        now[i] = scores[i]
        seen[i] = 0 if scores[i] > least[0] else -1
    held = np.int64(0)
    while held < p[1] and status[0] == 0:
        best = highest(now, seen, p[0])
        if best < 0:
            break
        score, out = now[best], False
        j: Number = held - 1
        while j >= seen[best] and not out:
            shared = overlap(boxes, best, np.int64(chosen[j]))
            if shared > 0 and sigma[0] > 0:
                score = np.float32(score * np.float32(exp64(np.float64(shared * shared) * (-0.5 / sigma[0]))))
            out = (sigma[0] <= 0 and shared > most_shared[0]) or not score > least[0]
            j -= 1
        seen[best] = held
        if out:
            seen[best] = -1
        elif score == now[best]:
            chosen[held] = best
            kept[held] = score
            seen[best] = -1
            held += 1
        now[best] = score
    count[0] = held


def prepare_topk(node: Node) -> Prepared:
    """Prepare TOPK_V2 along the last axis."""
    x, k = node.input(0), node.input(1)
    node.require(len(node.outputs) == 2, f"{len(node.outputs)} outputs, 2 are allowed")
    values, places = node.outputs
    node.require(x.dtype == values.dtype, f"values of {values.dtype} from {x.dtype}")
    node.require(places.dtype in (INT16, INT32), f"places of {places.dtype}; int32 and int16 are allowed")
    node.require(k.dtype in (INT16, INT32) and k.size == 1, "the number of values is one of int32 or int16")
    if x.dtype not in _ORDERED:
        raise node.unsupported(f"{x.dtype} is not supported")
    same_quantization(node, x, values)
    most = shapes.values(node, k)[0]
    n = x.shape[-1] if x.shape else -1
    node.require(0 <= most <= n, f"{most} values of a last axis of {max(n, 0)}")
    node.require(places.dtype == INT32 or n < 1 << 15, f"an axis of {n} for places of int16")
    p = np.array([math.prod(x.shape[:-1]), n, most], np.int64)
    shape = (*x.shape[:-1], most)
    return Prepared((shape, shape), lambda m: bind(top, m.inputs[0], m.outputs[0], m.outputs[1], p))


def prepare_unique(node: Node) -> Prepared:
    """Prepare UNIQUE of a vector: as many as there are elements at most; the true number is known afterwards."""
    x = node.input(0)
    node.require(len(x.shape) == 1, f"a tensor of rank {len(x.shape)}; a vector is allowed")
    node.require(len(node.outputs) == 2, f"{len(node.outputs)} outputs, 2 are allowed")
    y, numbers = node.outputs
    node.require(x.dtype == y.dtype, f"elements of {y.dtype} from {x.dtype}")
    node.require(numbers.dtype in (INT32, _INT64), f"positions of {numbers.dtype}; int32 and int64 are allowed")
    if x.dtype not in _ORDERED:
        raise node.unsupported(f"{x.dtype} is not supported")
    same_quantization(node, x, y)
    signed = np.dtype(f"i{x.dtype.itemsize}")
    slots = 1 << (2 * x.size).bit_length()
    p = np.array([x.size, slots - 1, 0x7FFFFFFF if x.dtype == _FLOAT else 0], np.int64)
    count = np.zeros(1, np.int64)

    def build(m: Memory) -> Step:
        table = m.scratch[0].view(np.int32)
        return bind(unique, m.inputs[0].view(signed), m.outputs[0].view(signed), m.outputs[1], table, p, count)

    return Prepared((x.shape, x.shape), build, (4 * slots,), lambda: ((int(count[0]),), x.shape))


def prepare_suppression(node: Node) -> Prepared:
    """Prepare NON_MAX_SUPPRESSION, hard or, where version 5 has a sigma above 0, soft."""
    soft = node.op.endswith("5")
    boxes, scores = node.input(0), node.input(1)
    numbers = [node.input(index) for index in ((3, 4, 5) if soft else (3, 4))]
    node.require(len(node.outputs) == 2 + soft, f"{len(node.outputs)} outputs, {2 + soft} are allowed")
    reals = all(operand.dtype == _FLOAT for operand in (boxes, scores, *numbers, *node.outputs[1:-1]))
    integers = all(operand.dtype == INT32 for operand in (node.outputs[0], node.outputs[-1]))
    node.require(reals and integers, "boxes, scores, thresholds are float32, positions and their number int32")
    node.require(all(operand.size == 1 for operand in numbers), "thresholds and sigma are one number each")
    n = scores.size
    fits = scores.shape == (n,) and boxes.shape == (n, 4)
    node.require(fits, f"boxes of {list(boxes.shape)} with scores of {list(scores.shape)}")
    most = _most(node, node.input(2))
    p, status = np.array([n, most], np.int64), np.zeros(1, np.int64)
    hard = np.zeros(1, np.float32)

    def build(m: Memory) -> Step:
        kept = m.outputs[1] if soft else m.scratch[2].view(np.float32)
        step = bind(
            suppress, m.inputs[0], m.inputs[1], m.inputs[3], m.inputs[4], m.inputs[5] if soft else hard, m.outputs[0],
            kept, m.outputs[-1], m.scratch[0].view(np.float32), m.scratch[1].view(np.int32), p, status,
        )  # fmt: skip

        def run() -> None:
            step()
            if status[0]:
                raise node.invalid("an overlap is between 0 and 1, and sigma is not negative")

        return run

    shape = (most,)
    return Prepared((shape, shape, ()) if soft else (shape, ()), build, (4 * n, 4 * n, 4 * most))


def _most(node: Node, operand: Operand) -> int:
    node.require(operand.dtype == INT32 and operand.size == 1, "the number of boxes is one of int32")
    most = shapes.values(node, operand)[0]
    node.require(most >= 0, f"{most} boxes; 0 at least is allowed")
    return most
