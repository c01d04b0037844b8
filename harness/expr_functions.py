"""The functions that spec expressions may call: arithmetic, shapes, values of slots."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from opconform.harness.model import Array, Shape


@dataclass(frozen=True, slots=True)
class SlotView:
    """What an expression sees of a slot: its type, quantization and real values."""

    dtype: str
    shape: Shape
    scale: Any = 0.0  # float, or array of per-axis scales
    zero_point: Any = 0
    values: Array | Callable[[], Array] | None = None  # a function where it takes time: few expressions look at values

    def with_values(self, values: Array | Callable[[], Array]) -> SlotView:
        """Return the view of a slot that is filled."""
        return SlotView(self.dtype, self.shape, self.scale, self.zero_point, values)


@dataclass(frozen=True, slots=True)
class Slices:
    """Begin, end, strides and masks of a strided slice over a shape."""

    begin: tuple[int, ...]
    end: tuple[int, ...]
    strides: tuple[int, ...]
    begin_mask: int = 0
    end_mask: int = 0
    ellipsis_mask: int = 0
    new_axis_mask: int = 0
    shrink_axis_mask: int = 0


def _fold(reduce: Callable[[Any], Any], *args: Any) -> Any:
    if len(args) == 1:
        return reduce(np.asarray(args[0])).item()
    return max(args) if reduce is np.max else min(args)


def _array_max(*args: Any) -> Any:
    """Largest of the arguments, or of one array's or list's elements."""
    values = [_fold(np.max, a) if isinstance(a, np.ndarray | tuple) else a for a in args]
    return max(values)


def _array_min(*args: Any) -> Any:
    values = [_fold(np.min, a) if isinstance(a, np.ndarray | tuple) else a for a in args]
    return min(values)


def broadcast(*shapes: Sequence[int]) -> Shape:
    """Return the NumPy broadcast of shapes; ValueError where they do not fit."""
    return tuple(int(n) for n in np.broadcast_shapes(*(tuple(s) for s in shapes)))


def window(size: int, kernel: int, stride: int, dilation: int, padding: str) -> int:
    """Return how many outputs a sliding window has along one dimension (0 if it never fits)."""
    if stride < 1 or dilation < 1:
        raise ValueError(f"stride {stride} and dilation {dilation} must be positive")
    if padding == "SAME":
        return -(-size // stride)
    return max(0, -(-(size - (kernel - 1) * dilation) // stride))


def windows(shape: Shape, sizes: Sequence[int], strides: Sequence[int], dilations: Sequence[int]) -> Shape:
    """Return how many places a window has along every dimension, without padding."""
    rules = zip(shape, sizes, strides, dilations, strict=True)
    return tuple(window(n, size, stride, dilation, "VALID") for n, size, stride, dilation in rules)


def _normal(axis: int, rank: int) -> int:
    if not -rank <= axis < rank:
        raise ValueError(f"axis {axis} is outside [{-rank}, {rank})")
    return axis % rank


def reduced(shape: Shape, axes: Sequence[int], keep: bool) -> Shape:
    """Return the shape after reducing over axes (negative and repeated ones allowed)."""
    gone = {_normal(axis, len(shape)) for axis in axes}
    if keep:
        return tuple(1 if d in gone else n for d, n in enumerate(shape))
    return tuple(n for d, n in enumerate(shape) if d not in gone)


def with_dim(shape: Shape, axis: int, size: int) -> Shape:
    """Return the shape with one dimension replaced."""
    axis = _normal(axis, len(shape))
    return (*shape[:axis], size, *shape[axis + 1 :])


def without(shape: Shape, axis: int) -> Shape:
    """Return the shape without one dimension."""
    axis = _normal(axis, len(shape))
    return (*shape[:axis], *shape[axis + 1 :])


def inserted(shape: Shape, axis: int, size: int) -> Shape:
    """Return the shape with one more dimension, at `axis` of the result."""
    axis = _normal(axis, len(shape) + 1)
    return (*shape[:axis], size, *shape[axis:])


def squeezed(shape: Shape, axes: Sequence[int]) -> Shape:
    """Return the shape without these dimensions of 1; without all of them where none is named (SQUEEZE)."""
    return reduced(shape, axes, False) if axes else tuple(n for n in shape if n != 1)


def permuted(shape: Sequence[int], order: Sequence[int]) -> Shape:
    """Return the dimensions in another order (negative positions allowed)."""
    return tuple(shape[_normal(axis, len(shape))] for axis in order)


def inverted(order: Sequence[int]) -> Shape:
    """Return the order that undoes an order of dimensions."""
    return tuple(int(axis) for axis in np.argsort(np.asarray(order, dtype=np.int64) % max(1, len(order))))


def tiled(shape: Shape, times: Sequence[int]) -> Shape:
    """Return the shape with each dimension repeated (TILE)."""
    return tuple(n * count for n, count in zip(shape, times, strict=True))


def column(rows: Sequence[Sequence[Any]], index: int) -> tuple[Any, ...]:
    """Return one item of each row, e.g. the widths before each dimension."""
    return tuple(row[index] for row in rows)


def padded(shape: Shape, pads: Sequence[Sequence[int]]) -> Shape:
    """Return the shape after padding each dimension by (before, after)."""
    return tuple(n + before + after for n, (before, after) in zip(shape, pads, strict=True))


def gathered(shape: Shape, positions: Shape, axis: int, batch_dims: int) -> Shape:
    """Return the shape of GATHER's result."""
    axis = _normal(axis, len(shape))
    batch = batch_dims + len(positions) if batch_dims < 0 else batch_dims
    return (*shape[:axis], *positions[batch:], *shape[axis + 1 :])


def flat(shape: Shape, from_axis: int) -> Shape:
    """Return the shape as two dimensions: the product before from_axis, and the product from it on."""
    at = from_axis % len(shape) if len(shape) else 0
    return (math.prod(shape[:at]), math.prod(shape[at:]))


def sliced(shape: Shape, slices: Slices) -> Shape:
    """Return the shape of a strided slice, masks included (definition of STRIDED_SLICE)."""
    picks = expand_slices(shape, slices)
    result: list[int] = []
    for pick in picks:
        if pick is None:
            result.append(1)
        elif isinstance(pick, slice):
            result.append(len(range(*pick.indices(shape[_position(picks, pick)]))))
    return tuple(result)


def _position(picks: Sequence[Any], pick: Any) -> int:
    before = picks[: next(i for i, p in enumerate(picks) if p is pick)]
    return sum(1 for p in before if p is not None)


def expand_slices(shape: Shape, s: Slices) -> list[Any]:
    """Turn slices with masks into a NumPy index: slice, int (shrunk axis) or None (new axis) per entry."""
    count = len(s.begin)
    ellipsis = next((i for i in range(count) if s.ellipsis_mask >> i & 1), None)
    new_axes = sum(1 for i in range(count) if s.new_axis_mask >> i & 1 and i != ellipsis)
    consumed = count - new_axes - (ellipsis is not None)
    picks: list[Any] = []
    for i in range(count):
        if i == ellipsis:
            picks += [slice(None) for _ in range(len(shape) - consumed)]
        elif s.new_axis_mask >> i & 1:
            picks.append(None)
        else:
            picks.append(_one_slice(s, i))
    used = sum(1 for p in picks if p is not None)
    return picks + [slice(None) for _ in range(len(shape) - used)]


def _one_slice(s: Slices, i: int) -> Any:
    if s.shrink_axis_mask >> i & 1:
        return s.begin[i]
    begin = None if s.begin_mask >> i & 1 else s.begin[i]
    end = None if s.end_mask >> i & 1 else s.end[i]
    return slice(begin, end, s.strides[i])


def _finite(view: SlotView) -> Array:
    values = view.values() if callable(view.values) else view.values
    found = np.asarray(values if values is not None else [0.0])
    numbers: Array = np.asarray(np.abs(found) if found.dtype.kind == "c" else found, dtype=np.float64)
    return numbers[np.isfinite(numbers)]


def span(view: SlotView) -> float:
    """Return the largest minus the smallest finite value of a slot (0 if it has none)."""
    values = _finite(view)
    return float(np.ptp(values)) if values.size else 0.0


def absmax(view: SlotView) -> float:
    """Return the largest finite magnitude of a slot (0 if it has none)."""
    values = _finite(view)
    return float(np.max(np.abs(values))) if values.size else 0.0


def minabs(view: SlotView) -> float:
    """Return the smallest finite magnitude of a slot (0 if it has none)."""
    values = _finite(view)
    return float(np.min(np.abs(values))) if values.size else 0.0


def running(numbers: Sequence[int]) -> Shape:
    """Return the sum up to each number."""
    return tuple(itertools.accumulate(numbers))


def off_middle(view: SlotView, origin: float, step: float) -> float:
    """Return how near, in steps, a value of a slot comes to the middle between two points of a grid (0.5 at most)."""
    places = (_finite(view) - origin) / step
    return float(np.min(np.abs(places - np.floor(places) - 0.5), initial=0.5))


FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "min": _array_min,
    "max": _array_max,
    "abs": np.abs,
    "sum": lambda x: np.sum(np.asarray(x)).item(),
    "prod": lambda x: math.prod(x),
    "all": lambda x: bool(np.all(x)),
    "any": lambda x: bool(np.any(x)),
    "len": len,
    "ceil": math.ceil,
    "floor": math.floor,
    "log2": math.log2,
    "sqrt": math.sqrt,
    "exp": math.exp,
    "rank": len,
    "size": lambda shape: math.prod(shape),
    "dim": lambda shape, axis: shape[_normal(axis, len(shape))],
    "broadcast": broadcast,
    "window": window,
    "windows": windows,
    "reduced": reduced,
    "with_dim": with_dim,
    "without": without,
    "inserted": inserted,
    "squeezed": squeezed,
    "permuted": permuted,
    "inverted": inverted,
    "tiled": tiled,
    "column": column,
    "padded": padded,
    "sliced": sliced,
    "gathered": gathered,
    "flat": flat,
    "below": lambda shape: tuple(n - 1 for n in shape),
    "running": running,
    "span": span,
    "absmax": absmax,
    "minabs": minabs,
    "off_middle": off_middle,
}
