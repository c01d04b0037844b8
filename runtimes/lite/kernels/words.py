"""SKIP_GRAM and LSH_PROJECTION."""

from __future__ import annotations

import numpy as np

from opconform.harness.model import DTYPES, STRING_BYTES, Array
from opconform.harness.runtime import Unsupported
from opconform.runtimes.lite.graph import Memory, Node, Operand, Prepared, Step
from opconform.runtimes.lite.jit import Number, bind, helper, kernel

_STRING = DTYPES["string"][0]
#: Words of the longest sentence that fits a string: every other byte a space.
_MOST_WORDS = STRING_BYTES // 2
_SEED_BYTES, _HASHED_BYTES = 4, 64
_SPARSE, _DENSE = 1, 2


@helper
def _fetch(data: Array, at: Number, width: Number) -> Number:
    word = np.uint64(0)
    for i in range(width):
        word |= np.uint64(data[at + i]) << np.uint64(8 * i)
    return word


@helper
def _rotate(value: Number, by: Number) -> Number:
    return value >> np.uint64(by) | value << np.uint64(64 - by)


@helper
def _mix(u: Number, v: Number, mul: Number) -> Number:
    a = (u ^ v) * mul
    a ^= a >> np.uint64(47)
    b = (v ^ a) * mul
    b ^= b >> np.uint64(47)
    return b * mul


@helper
def _hash(key: Array, size: Number) -> Number:
    """FarmHash's Fingerprint64 of 4 to 64 bytes."""
    k1, k2 = np.uint64(0xB492B66FBE98F273), np.uint64(0x9AE16A3B2F90404F)
    mul = k2 + np.uint64(2 * size)
    if size < 8:
        return _mix(np.uint64(size) + (_fetch(key, 0, 4) << np.uint64(3)), _fetch(key, size - 4, 4), mul)
    a, b, last = _fetch(key, 0, 8), _fetch(key, 8, 8), _fetch(key, size - 8, 8)
    if size <= 16:
        a += k2
        return _mix(_rotate(last, 37) * mul + a, (_rotate(a, 25) + last) * mul, mul)
    c, d = last * mul, _fetch(key, size - 16, 8) * k2
    a *= k1 if size <= 32 else k2
    y = _rotate(a + b, 43) + _rotate(c, 30) + d
    z = a + _rotate(b + k2, 18) + c
    if size <= 32:
        return _mix(y, z, mul)
    z = _mix(y, z, mul)
    e, f = _fetch(key, 16, 8) * mul, _fetch(key, 24, 8)
    g, h = (y + _fetch(key, size - 32, 8)) * mul, (z + _fetch(key, size - 24, 8)) * mul
    return _mix(_rotate(e + f, 43) + _rotate(g, 30) + h, e + _rotate(f + a, 18) + g, mul)


@kernel
def lsh_bits(seeds: Array, x: Array, weight: Array, bits: Array, key: Array, p: Array) -> None:
    """Write one bit per seed. p: seeds, rows, bytes of a row. seeds and x are bytes, key room for one seed and row."""
    rows, width = p[1], p[2]
    for s in range(p[0]):
        score = 0.0
        for i in range(4):
            key[i] = seeds[4 * s + i]
        for row in range(rows):
            for i in range(width):
                key[4 + i] = x[row * width + i]
            score += np.float64(weight[row]) * np.float64(np.int64(_hash(key, 4 + width)))
        bits[s] = 1 if score > 0 else 0


def prepare_lsh(node: Node) -> Prepared:
    """Prepare LSH_PROJECTION, sparse (a number per function) or dense (its bits)."""
    seeds, x, weight, out = node.input(0), node.input(1), node.optional(2), node.output()
    node.require(out.dtype == np.int32, f"the output is {out.dtype}; int32 is allowed")
    node.require(
        len(x.shape) >= 1 and x.shape[0] >= 1, f"the input has the shape {list(x.shape)}; at least one row is needed"
    )
    rows, kind = x.shape[0], node.options.number("type")
    _check_weight(node, weight, rows)
    node.require(kind in (_SPARSE, _DENSE), f"type {kind}; 1 (SPARSE) and 2 (DENSE) are allowed")
    functions, width = _functions(node, seeds)
    size = x.size // rows * x.dtype.itemsize
    if _SEED_BYTES + size > _HASHED_BYTES:
        raise node.unsupported(f"rows of {size} bytes; at most {_HASHED_BYTES - _SEED_BYTES} are supported")
    p, powers = np.array([functions * width, rows, size]), 1 << np.arange(width - 1, -1, -1)
    offsets = np.arange(functions) << width
    factors = np.ones(rows, np.float32)

    def build(m: Memory) -> Step:
        bits, key = m.outputs[0], np.zeros(_HASHED_BYTES + 8, np.uint8)
        if kind == _SPARSE:
            bits = m.scratch[0].view(np.int32)
        given = m.inputs[2] if weight is not None else factors
        step = bind(lsh_bits, m.inputs[0].view(np.uint8), m.inputs[1].view(np.uint8), given, bits, key, p)
        if kind == _DENSE:
            return step

        def run() -> None:
            step()
            np.matmul(bits.reshape(functions, width), powers, out=m.outputs[0], casting="unsafe")
            np.add(m.outputs[0], offsets, out=m.outputs[0], casting="unsafe")

        return run

    shape = (functions,) if kind == _SPARSE else (functions * width,)
    return Prepared((shape,), build, (4 * functions * width,) if kind == _SPARSE else ())


def _functions(node: Node, seeds: Operand) -> tuple[int, int]:
    """Return how many hash functions the seeds make, and the bits of each."""
    fits = seeds.dtype == np.float32 and len(seeds.shape) == 2
    node.require(fits, f"seeds {seeds.dtype}{list(seeds.shape)}; a float32 matrix is allowed")
    functions, width = seeds.shape
    node.require(1 <= width <= 31, f"{width} bits a function; 1 to 31 are allowed")
    return functions, width


def _check_weight(node: Node, weight: Operand | None, rows: int) -> None:
    if weight is not None:
        fits = weight.dtype == np.float32 and weight.shape == (rows,)
        node.require(fits, f"weights {weight.dtype}{list(weight.shape)}; float32[{rows}] is allowed")


def prepare_skip_gram(node: Node) -> Prepared:
    """Prepare SKIP_GRAM: an upper bound of n-grams has its place, the true number follows from the sentence."""
    x, out = node.input(0), node.output()
    node.require(x.dtype == _STRING and out.dtype == _STRING, f"{x.dtype} -> {out.dtype}; string -> string is allowed")
    node.require(x.size == 1, f"{x.size} sentences; 1 is allowed")
    size, skip = node.options.number("ngram_size"), node.options.number("max_skip_size")
    every = bool(node.options.number("include_all_ngrams"))
    node.require(size >= 1 and skip >= 0, f"n-grams of {size} words with {skip} left out; at least 1 and 0 are allowed")
    most = _count(_MOST_WORDS, size, skip)
    if most > 1 << 16:
        raise node.unsupported(f"up to {most} n-grams; at most {1 << 16} are supported")
    found = [0]

    def build(m: Memory) -> Step:
        def run() -> None:
            words = bytes(m.inputs[0][0]).split()
            words = words if len(words) >= size else []
            grams = _grams(words, size, skip, every)
            if any(len(gram) > STRING_BYTES for gram in grams):
                raise Unsupported(f"{node.where}: an n-gram of more than {STRING_BYTES} bytes")
            found[0] = len(grams)
            m.outputs[0][: len(grams)] = grams

        return run

    return Prepared(((most,),), build, narrow=lambda: ((found[0],),))


def _count(words: int, size: int, skip: int) -> int:
    """Return how many n-grams of at most `size` words there are."""
    ending = [1] * words
    total = words
    for _ in range(size - 1):
        ending = [sum(ending[max(0, i - 1 - skip) : i]) for i in range(words)]
        total += sum(ending)
    return total


def _grams(words: list[bytes], size: int, skip: int, every: bool) -> list[bytes]:
    """Return n-grams in the order of a search in depth that takes a word before it ends there."""
    found: list[bytes] = []
    stack: list[tuple[int, ...]] = []
    position = 0
    while position < len(words) or stack:
        if not stack:
            stack.append((position,))
            position += 1
            trail = [position]
            continue
        top, following = stack[-1], trail[-1]
        if len(top) < size and following < len(words) and following - top[-1] <= skip + 1:
            trail[-1] += 1
            stack.append((*top, following))
            trail.append(following + 1)
            continue
        if every or len(top) == size:
            found.append(b" ".join(words[i] for i in top))
        stack.pop()
        trail.pop()
    return found
