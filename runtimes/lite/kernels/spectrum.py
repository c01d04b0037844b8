"""REAL, IMAG, COMPLEX_ABS and RFFT2D."""

from __future__ import annotations

import math

import numpy as np

from opconform.harness.model import Array
from opconform.runtimes.lite.graph import Memory, Node, Prepared, Step
from opconform.runtimes.lite.jit import Number, bind, helper, kernel

_COMPLEX, _FLOAT = np.dtype(np.complex64), np.dtype(np.float32)


@helper
def _transform(work: Array, turns: Array, base: Number, step: Number, length: Number, most: Number) -> None:
    """Transform, in place, the pairs that lie `step` apart from `base` on; turns as in rfft2d, of `most` angles."""
    j = 0
    for i in range(1, length):  # bit reversal: the carry runs from the top
        bit = length >> 1
        while j & bit:
            j ^= bit
            bit >>= 1
        j |= bit
        if i < j:
            a, b = 2 * (base + i * step), 2 * (base + j * step)
            work[a], work[b] = work[b], work[a]
            work[a + 1], work[b + 1] = work[b + 1], work[a + 1]
    half = 1
    while half < length:
        for start in range(0, length, 2 * half):
            for k in range(half):
                turn = 2 * (k * (most // (2 * half)))
                c, s = turns[turn], turns[turn + 1]
                a = 2 * (base + (start + k) * step)
                b = 2 * (base + (start + k + half) * step)
                re = c * work[b] - s * work[b + 1]
                im = c * work[b + 1] + s * work[b]
                work[b], work[b + 1] = work[a] - re, work[a + 1] - im
                work[a], work[a + 1] = work[a] + re, work[a + 1] + im
        half *= 2


@kernel
def rfft2d(x: Array, out: Array, work: Array, turns: Array, p: Array) -> None:
    """Transform matrices one by one. p: matrices, rows, columns, then the lengths h and w, powers of two.

    x is float32; out holds pairs of float32 [matrices, h, w // 2 + 1]; work pairs of float64 [h, w];
    turns pairs [max(h, w)]: exp(-2 pi i k / max(h, w)).
    """
    rows, columns, h, w = p[1], p[2], p[3], p[4]
    most = max(h, w)
    for matrix in range(p[0]):
        for i in range(h):
            for j in range(w):
                inside = i < rows and j < columns
                work[2 * (i * w + j)] = np.float64(x[(matrix * rows + i) * columns + j]) if inside else 0.0
                work[2 * (i * w + j) + 1] = 0.0
        for row in range(h):
            _transform(work, turns, row * w, np.int64(1), w, most)
        for column in range(w):
            _transform(work, turns, column, w, h, most)
        kept = w // 2 + 1
        for i in range(h):
            for j in range(kept):
                for part in range(2):
                    out[2 * ((matrix * h + i) * kept + j) + part] = np.float32(work[2 * (i * w + j) + part])


def prepare_rfft2d(node: Node) -> Prepared:
    """Prepare RFFT2D of float32 matrices, lengths known."""
    x, length, out = node.input(0), node.input(1), node.output()
    node.require(
        x.dtype == _FLOAT and out.dtype == _COMPLEX, f"{x.dtype} -> {out.dtype}; float32 -> complex64 is allowed"
    )
    node.require(length.dtype == np.int32 and length.shape == (2,), "the lengths must be two 32-bit integers")
    node.require(len(x.shape) >= 2, f"the input has the shape {list(x.shape)}; at least two axes are needed")
    if length.data is None:
        raise node.invalid("the lengths are not known")
    h, w = (int(n) for n in length.data)
    if not all(n > 0 and n & (n - 1) == 0 for n in (h, w)) or max(h, w) > 1 << 14:
        raise node.invalid(f"lengths {h} and {w}; powers of two up to {1 << 14} are allowed")
    most = max(h, w)
    angles = -2 * np.pi * np.arange(most) / most
    turns = np.stack([np.cos(angles), np.sin(angles)], axis=1).reshape(-1)
    p = np.array([math.prod(x.shape[:-2]), *x.shape[-2:], h, w])

    def build(m: Memory) -> Step:
        return bind(rfft2d, m.inputs[0], m.outputs[0].view(np.float32), m.scratch[0].view(np.float64), turns, p)

    return Prepared(((*x.shape[:-2], h, w // 2 + 1),), build, (16 * h * w,))


def prepare_part(node: Node) -> Prepared:
    """Prepare REAL and IMAG: copy every other number."""
    x, out = node.input(0), node.output()
    node.require(
        x.dtype == _COMPLEX and out.dtype == _FLOAT, f"{x.dtype} -> {out.dtype}; complex64 -> float32 is allowed"
    )
    first = 0 if node.op == "REAL" else 1

    def build(m: Memory) -> Step:
        source = m.inputs[0].view(np.float32)[first::2]
        return lambda: np.copyto(m.outputs[0], source)

    return Prepared((x.shape,), build)


def prepare_magnitude(node: Node) -> Prepared:
    """Prepare COMPLEX_ABS."""
    x, out = node.input(0), node.output()
    node.require(
        x.dtype == _COMPLEX and out.dtype == _FLOAT, f"{x.dtype} -> {out.dtype}; complex64 -> float32 is allowed"
    )

    def build(m: Memory) -> Step:
        return lambda: np.abs(m.inputs[0], out=m.outputs[0])

    return Prepared((x.shape,), build)
