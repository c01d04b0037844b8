"""Random numbers: uniform, normal and by weights. One generator, seeded by the options; it goes on with every run.

The words are those that TensorFlow draws for the same seeds. Two seeds of 0, which ask for any stream, get a fixed
one, so that a run can be repeated.
"""

from __future__ import annotations

import math

import numpy as np

from opconform.harness.model import Array, Shape
from opconform.runtimes.lite import shapes
from opconform.runtimes.lite.floatmath import exp64
from opconform.runtimes.lite.graph import Memory, Node, Prepared, Step
from opconform.runtimes.lite.jit import bind, kernel
from opconform.runtimes.lite.kernels.layout import in_order

_WHOLE = (np.dtype(np.int32), np.dtype(np.int64))
_MOST = 1 << 27


@kernel
def random_uniform(out: Array, counter: Array, p: Array) -> None:
    """Fill with numbers in [0, 1) of 23 random bits: Philox-4x32-10 (Salmon et al., 2011), four a counter.

    counter: 2 words of key, 4 of counter, as uint64 that hold 32 bits; it stands after the last block at the end.
    """
    mask, one = np.uint64(0xFFFFFFFF), np.uint64(1)
    for block in range((p[0] + 3) // 4):
        a, b, c, d = counter[2], counter[3], counter[4], counter[5]
        k, m = counter[0], counter[1]
        for _ in range(10):
            first, second = np.uint64(0xD2511F53) * a, np.uint64(0xCD9E8D57) * c
            a, b, c, d = (
                (second >> np.uint64(32)) ^ b ^ k,
                second & mask,
                (first >> np.uint64(32)) ^ d ^ m,
                first & mask,
            )
            k, m = (k + np.uint64(0x9E3779B9)) & mask, (m + np.uint64(0xBB67AE85)) & mask
        for i in range(min(np.int64(4), p[0] - 4 * block)):
            word = a if i == 0 else (b if i == 1 else (c if i == 2 else d))
            out[4 * block + i] = np.float32(np.float64(word & np.uint64(0x7FFFFF)) / 8388608.0)
        for w in range(2, 6):
            counter[w] = (counter[w] + one) & mask
            if counter[w] != 0:
                break


@kernel
def by_weights(logits: Array, numbers: Array, sums: Array, out: Array, p: Array) -> None:
    """Draw categories: the first whose cumulative weight is above the number. p: rows, categories, samples per row.

    numbers: uniform in [0, 1), one a sample; sums: room for the cumulative weights of one row.
    """
    categories, samples = p[1], p[2]
    for r in range(p[0]):
        largest = logits[r * categories]
        for c in range(1, categories):
            value = logits[r * categories + c]
            largest = value if value > largest else largest
        total = 0.0
        for c in range(categories):
            total += exp64(np.float64(logits[r * categories + c]) - np.float64(largest))
            sums[c] = total
        for s in range(samples):
            target = np.float64(numbers[r * samples + s]) * total
            low, high = np.int64(0), categories - 1
            while low < high:
                middle = (low + high) // 2
                if sums[middle] > target:
                    high = middle
                else:
                    low = middle + 1
            out[r * samples + s] = low


def _counter(node: Node) -> Array:
    """Return key and counter of the generator: the words of the two seeds."""
    seeds = (node.options.number("seed"), node.options.number("seed2"))
    words = [seed >> shift & 0xFFFFFFFF for seed in seeds for shift in (0, 32)]
    return np.array([words[0], words[1], 0, 0, words[2], words[3]], np.uint64)


def _shape(node: Node) -> Shape:
    size, out = node.input(0), node.output()
    if size.dtype not in _WHOLE or len(size.shape) != 1:
        raise node.invalid(f"a shape of {size.dtype}{list(size.shape)}; a vector of int32 is allowed")
    node.require(out.dtype == np.float32, f"the output is {out.dtype}; float32 is allowed")
    shape = tuple(shapes.values(node, size))
    node.require(len(shape) <= 8 and all(0 <= extent < _MOST for extent in shape), f"the shape {list(shape)}")
    node.require(math.prod(shape) < _MOST, f"the shape {list(shape)} is too large")
    return shape


def prepare_uniform(node: Node) -> Prepared:
    """Prepare RANDOM_UNIFORM of the shape in input 0."""
    shape, counter = _shape(node), _counter(node)
    return Prepared((shape,), lambda m: bind(random_uniform, m.outputs[0], counter, np.array([math.prod(shape)])))


def prepare_normal(node: Node) -> Prepared:
    """Prepare RANDOM_STANDARD_NORMAL of the shape in input 0: two numbers of each two uniform ones (Box and Muller)."""
    shape, counter = _shape(node), _counter(node)
    pairs = (math.prod(shape) + 1) // 2

    def build(m: Memory) -> Step:
        numbers = m.scratch[0].view(np.float32)
        step = bind(random_uniform, numbers, counter, np.array([2 * pairs]))
        return in_order([step, _box_muller(numbers[0::2], numbers[1::2], m.outputs[0])])

    return Prepared((shape,), build, (8 * pairs,))


def _box_muller(radius: Array, angle: Array, out: Array) -> Step:
    """Return a step that turns uniform numbers into normal ones, in place; the least radius is that of 1e-7."""

    def run() -> None:
        np.maximum(radius, np.float32(1e-7), out=radius)
        np.log(radius, out=radius)
        np.multiply(radius, np.float32(-2), out=radius)
        np.sqrt(radius, out=radius)
        np.multiply(angle, np.float32(2 * math.pi), out=angle)
        for function, part in ((np.sin, out[0::2]), (np.cos, out[1::2])):
            function(angle[: len(part)], out=part)
            np.multiply(part, radius[: len(part)], out=part)

    return run


def prepare_multinomial(node: Node) -> Prepared:
    """Prepare MULTINOMIAL: rows of logits in input 0, the number of samples of each in input 1."""
    logits, count, out = node.input(0), node.input(1), node.output()
    node.require(
        logits.dtype == np.float32 and out.dtype in _WHOLE,
        f"{logits.dtype} -> {out.dtype}; float32 -> int32 or int64 is allowed",
    )
    node.require(
        count.dtype == np.int32 and count.size == 1,
        f"a count of {count.dtype}{list(count.shape)}; one int32 is allowed",
    )
    node.require(len(logits.shape) == 2, f"logits of rank {len(logits.shape)}; 2 is allowed")
    rows, categories = logits.shape
    samples = shapes.values(node, count)[0]
    node.require(samples >= 0 and rows * samples < _MOST, f"{samples} samples of each of {rows} rows")
    node.require(categories > 0 or rows * samples == 0, "no categories to draw from")
    counter = _counter(node)
    p = np.array([rows, categories, samples], np.int64)

    def build(m: Memory) -> Step:
        numbers, sums = m.scratch[0].view(np.float32), m.scratch[1].view(np.float64)
        draw = bind(random_uniform, numbers, counter, np.array([rows * samples]))
        return in_order([draw, bind(by_weights, m.inputs[0], numbers, sums, m.outputs[0], p)])

    return Prepared(((rows, samples),), build, (4 * rows * samples, 8 * categories))
