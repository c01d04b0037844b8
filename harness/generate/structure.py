"""Draw the structure of a case: attributes, shapes and other symbols of the domain."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from opconform.harness.expr import Env
from opconform.harness.expr_functions import Slices
from opconform.harness.generate.source import Discard, Source
from opconform.harness.model import Shape
from opconform.harness.spec import Attribute, Draw, OpSpec

#: A tensor above this many elements makes a case slow on an emulator and tells nothing new.
MOST_ELEMENTS = 1 << 16
#: Elements of a large shape: beyond the vectors of every processor and most unrolled loops, and below what the
#: `require` of most specs allows.
LARGE = (100, 500)


@lru_cache(maxsize=256)
def factors(spec: OpSpec, row: str) -> Mapping[str, Sequence[Any]]:
    """Return what pairwise coverage combines: drawn attributes, choices, optional and either-constant slots."""
    result: dict[str, Sequence[Any]] = {}
    for attribute in spec.attributes:
        if values := settings_of(attribute):
            result[attribute.name] = values
    for draw in spec.domain:
        if draw.kind == "choice":
            result[draw.name] = draw.choices
    for slot in spec.inputs:
        if slot.optional:
            result[f"{slot.name}.absent"] = (False, True)
        if slot.constant == "either":
            result[f"{slot.name}.constant"] = (False, True)
    return {name: values for name, values in result.items() if len(values) > 1}


def canonical_plan(spec: OpSpec) -> Mapping[str, Any]:
    """Return the settings of the case that costs are measured with: all slots there, what may be constant is.

    `canonical` of the spec settles symbols and attributes, and may settle SLOT.absent and SLOT.constant too.
    """
    slots = {f"{slot.name}.absent": False for slot in spec.inputs if slot.optional}
    slots |= {f"{slot.name}.constant": True for slot in spec.inputs if slot.constant == "either"}
    return {**slots, **{name: _settled(value) for name, value in spec.canonical.items()}}


def _settled(value: Any) -> Any:
    """Turn what YAML holds into what a draw gives: tuples for lists, Slices for a mapping."""
    if isinstance(value, Mapping):
        return Slices(**{name: _settled(part) for name, part in value.items()})
    return tuple(_settled(item) for item in value) if isinstance(value, list) else value


def settings_of(attribute: Attribute) -> Sequence[Any]:
    """Return the values of an attribute that coverage counts: all, or the ends and the middle of a range."""
    if attribute.kind in ("enum", "bool"):
        return attribute.choices
    if attribute.kind == "int":
        low, high = int(attribute.low), int(attribute.high)
        return tuple(range(low, high + 1)) if high - low < 4 else tuple(sorted({low, (low + high) // 2, high}))
    if attribute.kind == "float":
        return tuple(sorted({_float32(attribute.low), 1.0, _float32(attribute.high)})) if attribute.low <= 1 else ()
    return ()


def _float32(value: float) -> float:
    return float(np.float32(value))


def draw_attributes(spec: OpSpec, source: Source, plan: Mapping[str, Any]) -> dict[str, Any]:
    """Draw every attribute that is not computed; `plan` settles some of them."""
    return {
        attribute.name: plan[attribute.name] if attribute.name in plan else _draw_attribute(attribute, source)
        for attribute in spec.attributes
        if attribute.kind != "value"
    }


def _draw_attribute(attribute: Attribute, source: Source) -> Any:
    match attribute.kind:
        case "enum" | "bool":
            return attribute.choices[source.element(attribute.choices)]
        case "int":
            return source.integer(int(attribute.low), int(attribute.high))
        case _:
            # 256 steps, each a float32: the file must be able to hold the number that is judged.
            step = source.integer(0, 256)
            return _float32(attribute.low + (attribute.high - attribute.low) * step / 256)


def computed_attributes(spec: OpSpec, env: Env) -> dict[str, Any]:
    """Compute the attributes that are formulas."""
    return {a.name: a.value(env) for a in spec.attributes if a.value is not None}


def draw_symbol(draw: Draw, env: Env, source: Source, plan: Mapping[str, Any]) -> Any:
    """Draw one symbol of the domain."""
    if draw.name in plan:
        return plan[draw.name]
    match draw.kind:
        case "int":
            return _whole(draw, env, source)
        case "choice":
            return draw.choices[source.element(draw.choices)]
        case "shape":
            return (_large_shape if source.large else _shape)(draw, env, source)
        case "broadcasts_with":
            return (_mixed_partner if source.large else _broadcast_partner)(draw.args["of"](env), source)
        case "reshapes":
            return _reshape(math.prod(draw.args["of"](env)), source)
        case "axis":
            rank = len(draw.args["of"](env))
            return source.integer(-rank, rank - 1)
        case "axes":
            return _axes(len(draw.args["of"](env)), int(draw.args["min"](env)), source)
        case "permutes":
            return _permutation(len(draw.args["of"](env)), source)
        case "pairs":
            shape, low, high = draw.args["of"](env), int(draw.args["low"](env)), int(draw.args["high"](env))
            return tuple((source.integer(low, high), source.integer(low, high)) for _ in shape)
        case "list":
            count, low, high = (int(draw.args[key](env)) for key in ("of", "low", "high"))
            return tuple(source.integer(low, high) for _ in range(count))
        case _:
            return _slices(draw.args["of"](env), source)


def _whole(draw: Draw, env: Env, source: Source) -> int:
    """Draw an integer; in large cases often the least or the most."""
    least, most = int(draw.args["low"](env)), int(draw.args["high"](env))
    if not source.large:
        return source.integer(least, most)
    most = int(draw.large(env)) if draw.large is not None else most
    how = source.integer(0, 3)
    return least if how == 0 else most if how == 1 else source.integer(least, most)


def _shape(draw: Draw, env: Env, source: Source) -> Shape:
    rank = source.integer(int(draw.args["low"](env)), int(draw.args["high"](env)))
    low, high = int(draw.args["dim_low"](env)), int(draw.args["dim_high"](env))
    # The product must stay small at high rank, so long dimensions get rarer with rank.
    most = high if rank <= 3 else max(low, min(high, 3 if rank == 4 else 2))
    dims = tuple(_dimension(low, most, source) for _ in range(rank))
    if math.prod(dims) > MOST_ELEMENTS:
        raise Discard("size")
    return dims


def grows(spec: OpSpec) -> bool:
    """Tell whether a large case of an op differs from others."""
    return any(draw.kind == "shape" or draw.large is not None for draw in spec.domain)


def _large_shape(draw: Draw, env: Env, source: Source) -> Shape:
    """Draw a long shape, a deep one, or, since `require` refuses most cases with two of them, one like others."""
    low, high = max(1, int(draw.args["low"](env))), max(1, int(draw.args["high"](env)))
    match source.integer(0, 2):
        case 0:
            return _shape(draw, env, source)
        case 1:
            return _long_shape(source.integer(low, high), source)
        case _:
            most = math.ceil(LARGE[1] ** (1 / high))
            return tuple(source.integer(min(2, most), most) for _ in range(high))


def _long_shape(rank: int, source: Source) -> Shape:
    """Draw a shape with one long axis, in half of the cases the last, and short ones around it."""
    place = rank - 1 if source.boolean() else source.integer(0, rank - 1)
    dims = [source.integer(1, 3 if rank <= 3 else 2) for _ in range(rank)]
    rest = math.prod(dims) // dims[place]
    dims[place] = source.integer(-(-LARGE[0] // rest), LARGE[1] // rest)
    return tuple(dims)


def _mixed_partner(shape: Shape, source: Source) -> Shape:
    """Give every other axis one element, so that no two neighbours can be walked as one."""
    first = source.integer(0, 1)
    return tuple(1 if axis % 2 == first else size for axis, size in enumerate(shape))


def _dimension(low: int, high: int, source: Source) -> int:
    """Draw one dimension; where 0 is allowed it comes up about once in eight tensors."""
    if low > 0:
        return source.integer(low, high)
    if high > 0 and source.integer(0, 15) < 15:
        return source.integer(1, high)
    return 0


def _broadcast_partner(shape: Shape, source: Source) -> Shape:
    """Drop leading dimensions, turn some into ones, widen ones."""
    kept = shape[source.integer(0, len(shape)) :] if source.boolean() else shape
    result = []
    for size in kept:
        how = source.integer(0, 3)
        result.append(1 if how == 3 else source.integer(2, 3) if size == 1 and how == 2 else size)
    return tuple(result)


def _reshape(count: int, source: Source) -> Shape:
    """Split a number of elements into up to five factors."""
    rank = source.integer(0 if count == 1 else 1, 5)
    dims, rest = [], count
    for position in range(rank):
        if position == rank - 1:
            dims.append(rest)
        elif rest == 0:
            dims.append(source.integer(0, 3))
        else:
            divisors = [d for d in range(1, rest + 1) if rest % d == 0][:64]
            dims.append(divisors[source.element(divisors)])
            rest //= dims[-1]
    if count == 0 and math.prod(dims) != 0:
        dims[-1] = 0
    return tuple(dims)


def _axes(rank: int, least: int, source: Source) -> tuple[int, ...]:
    """Choose distinct dimensions; each may be written as a negative number."""
    chosen = [axis for axis in range(rank) if source.boolean()]
    if len(chosen) < least:
        raise Discard("domain")
    return tuple(axis - rank if source.boolean() else axis for axis in chosen)


def _permutation(rank: int, source: Source) -> tuple[int, ...]:
    """Put all dimensions into an order; each may be written as a negative number."""
    rest = list(range(rank))
    order = [rest.pop(source.integer(0, len(rest) - 1)) for _ in range(rank)]
    return tuple(axis - rank if source.integer(0, 3) == 3 else axis for axis in order)


def _slices(shape: Shape, source: Source) -> Slices:
    """Draw begin, end, stride and mask bits for each dimension, sometimes an ellipsis or a new axis."""
    begin: list[int] = []
    end: list[int] = []
    strides: list[int] = []
    masks = dict.fromkeys(("begin", "end", "ellipsis", "new_axis", "shrink_axis"), 0)
    extra = source.integer(0, 5)  # 4: a new axis, 5: an ellipsis
    at = source.integer(0, len(shape)) if extra >= 4 else -1
    skipped = source.integer(0, len(shape) - at) if extra == 5 else 0
    for axis in range(len(shape) + 1):
        if axis == at:
            masks["new_axis" if extra == 4 else "ellipsis"] |= 1 << len(begin)
            _append(begin, end, strides, (0, 0, 1))
        if axis == len(shape) or (extra == 5 and at <= axis < at + skipped):
            continue
        bit = 1 << len(begin)
        size = shape[axis]
        if size > 0 and source.integer(0, 7) == 7:
            masks["shrink_axis"] |= bit
            index = source.integer(-size, size - 1)
            _append(begin, end, strides, (index, index + 1, 1))
            continue
        open_begin, open_end = source.boolean(), source.boolean()
        masks["begin"] |= bit * open_begin
        masks["end"] |= bit * open_end
        _append(begin, end, strides, _one_slice(size, open_begin, open_end, source))
    return Slices(tuple(begin), tuple(end), tuple(strides), *(masks[name] for name in masks))


def _append(begin: list[int], end: list[int], strides: list[int], values: tuple[int, int, int]) -> None:
    for target, value in zip((begin, end, strides), values, strict=True):
        target.append(value)


def _one_slice(size: int, open_begin: bool, open_end: bool, source: Source) -> tuple[int, int, int]:
    """Draw begin, end and stride; ends that leave nothing are mostly replaced, or most tensors would be empty."""
    stride = (1, 2, -1, 3, -2, 1, -1)[source.integer(0, 6)]
    begin, end = source.integer(-size - 1, size + 1), source.integer(-size - 1, size + 1)
    whole = (-size - 1, size + 1) if stride > 0 else (size + 1, -size - 1)
    for first, last in ((begin, end), (end, begin), whole):
        ends = slice(None if open_begin else first, None if open_end else last, stride)
        if range(*ends.indices(size)) or ((begin, end) == (first, last) and source.integer(0, 31) == 0):
            return first, last, stride
    return begin, end, stride
