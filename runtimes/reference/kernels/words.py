"""Strings and hashes of bytes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from opconform.harness.model import DTYPES, Array
from opconform.runtimes.reference.registry import kernel

_MASK = 2**64 - 1
#: The three odd constants of CityHash and FarmHash: primes between 2**63 and 2**64.
_K0, _K1, _K2 = 0xC3A5C85C97CB3127, 0xB492B66FBE98F273, 0x9AE16A3B2F90404F


@kernel("SKIP_GRAM")
def skip_gram(x: Array, *, ngram_size: int, max_skip_size: int, include_all_ngrams: bool, **_: Any) -> Array:
    """Return the n-grams of a sentence as strings, longer ones before those that begin alike.

    x holds one string of words between spaces; one of fewer words than `ngram_size` has no n-grams. An n-gram is
    `ngram_size` words in their order (or fewer, where all n-grams are wanted), with at most `max_skip_size` words
    left out between two of them.
    """
    words = bytes(x.reshape(-1)[0]).split()
    starts = range(len(words) if len(words) >= ngram_size else 0)
    grams = (gram for first in starts for gram in _grams([first], len(words), ngram_size, max_skip_size))
    wanted = [g for g in grams if include_all_ngrams or len(g) == ngram_size]
    return np.asarray([b" ".join(words[i] for i in gram) for gram in wanted], dtype=DTYPES["string"][0])


def _grams(start: list[int], count: int, size: int, skip: int) -> Iterator[list[int]]:
    """Yield all n-grams of at most `size` words that begin with `start`, then `start` itself."""
    if len(start) < size:
        for following in range(start[-1] + 1, min(start[-1] + 1 + skip, count - 1) + 1):
            yield from _grams([*start, following], count, size, skip)
    yield start


@kernel("LSH_PROJECTION")
def lsh_projection(hash_: Array, x: Array, weight: Array | None, *, type: str, **_: Any) -> Array:
    """Return the locality-sensitive hash of the rows of x: bits [n * b] (DENSE), or a number per function [n] (SPARSE).

    hash_ [n, b] holds the seed of every bit; x [m, ...] integers of 32 bits. A bit is the sign of the weighted sum,
    over the rows, of FarmHash's 64-bit fingerprint of seed and row, as a signed number. SPARSE puts the b bits of
    function i, the first on top, above i * 2**b.
    """
    rows = [row.tobytes() for row in np.ascontiguousarray(x.reshape(len(x), -1), dtype=np.int32)]
    factors = np.ones(len(rows)) if weight is None else weight
    seeds = hash_.astype(np.float32)
    bits = np.asarray([[_sign_bit(seed.tobytes(), rows, factors) for seed in function] for function in seeds])
    if type == "DENSE":
        return bits.reshape(-1)
    width = hash_.shape[1]
    return np.asarray([int("".join(map(str, row)), 2) + i * 2**width for i, row in enumerate(bits.tolist())])


def _sign_bit(seed: bytes, rows: list[bytes], factors: Array) -> int:
    score = 0.0
    for row, factor in zip(rows, factors, strict=True):
        number = fingerprint64(seed + row)
        score += float(factor) * float(number - 2**64 if number >> 63 else number)
    return int(score > 0)


def fingerprint64(data: bytes) -> int:
    """Return FarmHash's Fingerprint64 of at most 64 bytes (Pike and Alakuijala, 2014), from its public description."""
    size = len(data)
    if size <= 16:
        return _short(data)
    mul = _K2 + 2 * size
    a, b = _word(data, 0), _word(data, 8)
    c, d = _word(data, size - 8) * mul, _word(data, size - 16) * _K2
    if size <= 32:
        a = a * _K1
        return _mixed(_turned(a + b, 43) + _turned(c, 30) + d, a + _turned(b + _K2, 18) + c, mul)
    if size > 64:
        raise ValueError(f"{size} bytes; at most 64 are hashed here")
    a = a * _K2
    y = _turned(a + b, 43) + _turned(c, 30) + d
    z = _mixed(y, a + _turned(b + _K2, 18) + c, mul)
    e, f = _word(data, 16) * mul, _word(data, 24)
    g, h = (y + _word(data, size - 32)) * mul, (z + _word(data, size - 24)) * mul
    return _mixed(_turned(e + f, 43) + _turned(g, 30) + h, e + _turned(f + a, 18) + g, mul)


def _short(data: bytes) -> int:
    size = len(data)
    mul = _K2 + 2 * size
    if size >= 8:
        a, b = _word(data, 0) + _K2, _word(data, size - 8)
        return _mixed(_turned(b, 37) * mul + a, (_turned(a, 25) + b) * mul, mul)
    if size >= 4:
        first, last = (int.from_bytes(data[at : at + 4], "little") for at in (0, size - 4))
        return _mixed(size + (first << 3), last, mul)
    if size == 0:
        return _K2
    y, z = data[0] + (data[size // 2] << 8), size + (data[-1] << 2)
    return _folded((y * _K2 ^ z * _K0) & _MASK) * _K2 & _MASK


def _word(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 8], "little")


def _turned(value: int, by: int) -> int:
    value &= _MASK
    return (value >> by | value << (64 - by)) & _MASK


def _folded(value: int) -> int:
    return value ^ value >> 47


def _mixed(u: int, v: int, mul: int) -> int:
    a = _folded(((u ^ v) & _MASK) * mul & _MASK)
    b = _folded(((v ^ a) & _MASK) * mul & _MASK)
    return b * mul & _MASK
