"""Fill tensors: value classes per dtype, from a seed, with NumPy (the same on every machine)."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import cycle
from typing import Any

import numpy as np

from opconform.harness.model import DTYPES, Array, Quant, Shape
from opconform.harness.numerics import integer_range, is_float, largest

CLASSES = ("ordinary", "boundaries", "saturating", "ties", "specials")

_SPECIALS = {
    "nan": (float("nan"),),
    "inf": (float("inf"), float("-inf")),
    "zero": (0.0,),
    "negative_zero": (-0.0,),
    "denormal": (1e-45, -1e-45, 1.1754942e-38, -1.1754942e-38),
}


#: of one string
MOST_WORDS = 4


def generator(seed: int, *where: int) -> np.random.Generator:
    """Return the generator of one tensor of one vector; all numbers are below 2**32."""
    words = np.array((seed, *where), np.uint32)  # twice as fast as from a list
    return np.random.Generator(np.random.Philox(np.random.SeedSequence(words)))


def fill(
    rng: np.random.Generator,
    dtype: str,
    shape: Shape,
    value_class: str,
    low: float,
    high: float,
    specials: Sequence[str] = (),
    quant: Quant | None = None,
) -> Array:
    """Return one tensor. [low, high] bounds float values and integers alike; `quant` shows where zero lies."""
    count = math.prod(shape)
    if dtype == "bool":
        return _booleans(rng, count, value_class).reshape(shape)
    if dtype == "string":
        return _words(rng, count, value_class).reshape(shape)
    if dtype == "complex64":
        parts = _floats(rng, 2 * count, value_class, low, high, specials).astype(np.float32)
        return parts.view(np.complex64).reshape(shape)
    if is_float(dtype):
        values = _floats(rng, count, value_class, low, high, specials)
        if max(-low, high) > largest(dtype):  # would overflow; an infinity that was asked for stays one
            values = np.where(np.isinf(values), values, np.clip(values, -largest(dtype), largest(dtype)))
    else:
        least, most = integer_range(dtype)
        values = _integers(rng, count, value_class, (low, high), (least, most), quant)
    return values.astype(DTYPES[dtype][0]).reshape(shape)


def _booleans(rng: np.random.Generator, count: int, value_class: str) -> Array:
    if value_class in ("boundaries", "saturating"):
        return np.full(count, bool(rng.integers(0, 2)))
    return rng.random(count) < rng.random()


def _words(rng: np.random.Generator, count: int, value_class: str) -> Array:
    """Return strings of up to four short words of few letters, so that some are equal; empty ones at the boundaries."""
    letters = np.frombuffer(b"ab\xc3\xa9Z" if value_class == "specials" else b"abc", np.uint8)
    edge = value_class == "boundaries"
    longest = 6 if edge else 2
    numbers = np.where(rng.random(count) < 0.6, 1, rng.integers(1, MOST_WORDS, count, endpoint=True))
    lengths = rng.integers(1, longest, (count, MOST_WORDS), endpoint=True)
    lengths[np.arange(MOST_WORDS) >= numbers[:, None]] = 0
    lengths[rng.random(count) < (0.3 if edge else 0.0)] = 0
    drawn = letters[rng.integers(0, len(letters), (count, MOST_WORDS, longest))]
    words = [[row[i, :n].tobytes() for i, n in enumerate(some) if n] for row, some in zip(drawn, lengths, strict=True)]
    return np.asarray([b" ".join(some) for some in words], DTYPES["string"][0]).reshape(count)


def _floats(
    rng: np.random.Generator,
    count: int,
    value_class: str,
    low: float,
    high: float,
    specials: Sequence[str],
) -> Array:
    match value_class:
        case "boundaries":
            edges = [low, high, 0.0, 1.0, -1.0, 0.5, -0.5, 2.0, 2.0**-24, -(2.0**-24), 1 - 2.0**-24]
            return rng.choice([e for e in edges if low <= e <= high], count)
        case "saturating":
            ends = rng.choice([low, high], count)
            return ends * (1 - 0.1 * rng.random(count))
        case "ties":
            steps = rng.integers(-64, 65, count) / 2.0 ** int(rng.integers(0, 4))
            return np.clip(steps, low, high)
        case "specials" if specials:
            values = _ordinary_floats(rng, count, low, high)
            # Kinds are equally frequent: those with many values must not crowd the one NaN out.
            kinds = rng.integers(0, len(specials), count)
            numbers = rng.random(count)
            pool = [_SPECIALS[name] for name in specials]
            drawn = [pool[k][int(n * len(pool[k]))] for k, n in zip(kinds, numbers, strict=True)]
            return np.where(rng.random(count) < 0.4, np.asarray(drawn), values)
        case _:
            return _ordinary_floats(rng, count, low, high)


def _ordinary_floats(rng: np.random.Generator, count: int, low: float, high: float) -> Array:
    """Half uniform; half spread over magnitudes, since uniform numbers are nearly all of one."""
    uniform = low + (high - low) * rng.random(count)
    tiny = np.abs(uniform) * 2.0 ** -rng.integers(0, 20, count)
    spread = np.clip(np.copysign(tiny, uniform), low, high)
    return np.where(rng.random(count) < 0.5, uniform, spread)


def _integers(
    rng: np.random.Generator,
    count: int,
    value_class: str,
    bounds: tuple[float, float],
    limits: tuple[int, int],
    quant: Quant | None,
) -> Array:
    (low, high), (lowest, largest) = bounds, limits
    # A float bound near 2**63 rounds up: the dtype's own bounds win.
    first, last = max(math.ceil(low), lowest), min(math.floor(high), largest)
    zero = min(max(quant.zero_point[0] if quant else 0, first), last)
    match value_class:
        case "boundaries":
            edges = {first, last, zero, zero - 1, zero + 1, first + 1, last - 1}
            return rng.choice(sorted(e for e in edges if first <= e <= last), count)
        case "saturating":
            return np.where(rng.random(count) < rng.random(), first, last)
        case "ties":
            near = zero + rng.integers(-9, 10, count)
            return np.clip(near, first, last)
        case _:
            return rng.integers(first, last, count, endpoint=True)


def by_column(fill_part: Callable[[Shape, float, float], Array], shape: Shape, low: Any, high: Any) -> Array:
    """Fill a tensor with `fill_part(shape, low, high)`; bounds that are lists hold one number per column."""
    if not any(isinstance(bound, tuple) and len(bound) != 1 for bound in (low, high)):
        least, most = (float(bound[0] if isinstance(bound, tuple) else bound) for bound in (low, high))
        return fill_part(shape, least, most)
    pairs = list(zip(*(bound if isinstance(bound, tuple) else cycle((bound,)) for bound in (low, high)), strict=False))
    columns = [fill_part(shape[:-1], *map(float, pairs[i % len(pairs)])) for i in range(shape[-1] if pairs else 0)]
    return np.stack(columns, -1) if columns else np.zeros(shape)


def thinned(rng: np.random.Generator, data: Array, share: float) -> Array:
    """Set most elements to zero; never all: a file cannot tell a constant without stored values from no constant."""
    kept = rng.random(data.shape) < share
    kept.reshape(-1)[:1] |= not kept.any()
    return np.where(kept, np.where(data == 0, np.ones_like(data), data), np.zeros_like(data))


def ascending(data: Array) -> Array:
    """Sort numbers, or rows by their first column, then their second and so on."""
    rows = data.reshape(len(data), -1) if data.ndim else data.reshape(1, 1)
    return data.reshape(rows.shape)[np.lexsort(rows.T[::-1])].reshape(data.shape) if rows.size else data


def increasing(rng: np.random.Generator, shape: Shape, low: Any, high: Any) -> Array:
    """Draw numbers, or rows, that ascend without repetition. Raises ValueError where the bounds hold too few."""
    width = shape[1] if len(shape) == 2 else 1
    lows, highs = (np.broadcast_to(np.asarray(bound, np.int64), (width,)) for bound in (low, high))
    extents = np.maximum(highs - lows + 1, 0)
    total, count = math.prod(extents.tolist()), shape[0] if shape else 1
    if total < count:
        raise ValueError(f"{count} different numbers between {low} and {high}")
    picks = np.sort(rng.choice(total, count, replace=False))
    return (np.stack(np.unravel_index(picks, tuple(extents)), -1) + lows).reshape(shape)


def exhaustive(dtypes: Sequence[str], chunk: int = 256) -> list[tuple[Array, ...]]:
    """Return vectors that hold every value of one dtype, or every pair of values of two 8-bit ones.

    Each vector holds `chunk` elements (256 fits every board).
    """
    ranges = [np.arange(low, high + 1) for low, high in map(integer_range, dtypes)]
    grid: Sequence[Array] = np.meshgrid(*ranges, indexing="ij") if len(ranges) > 1 else ranges
    flat = [axis.reshape(-1, chunk).astype(DTYPES[d][0]) for axis, d in zip(grid, dtypes, strict=True)]
    return [tuple(axis[i] for axis in flat) for i in range(flat[0].shape[0])]
