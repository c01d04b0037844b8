"""Resolve the input slots of a case: shapes, roles, dtypes, quantization."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from opconform.harness.expr_functions import SlotView
from opconform.harness.generate import values
from opconform.harness.generate.quantize import draw_quant
from opconform.harness.generate.source import Discard, Source
from opconform.harness.generate.structure import MOST_ELEMENTS
from opconform.harness.model import DTYPES, Array, Quant, Shape, Sparsity, TensorType
from opconform.harness.numerics import integer_range
from opconform.harness.spec import OpSpec, QuantRule, Slot

if TYPE_CHECKING:
    from opconform.harness.generate.cases import Drawn

#: Where no range is given: floats, plain integers, and biases (of the size of an accumulator).
SPARSE_SHARE = 0.3  # of the elements of a sparse constant that are not zero
FLOATS, INTEGERS, BIASES = (-8.0, 8.0), (-1000.0, 1000.0), (-16384.0, 16384.0)


@dataclass(frozen=True, slots=True)
class Part:
    """One input tensor: its slot, type and role; repeated slots give several."""

    slot: Slot
    tensor: TensorType
    role: str
    rule: QuantRule | None
    index: int = 0

    def data(self, spec: OpSpec, env: Mapping[str, Any], drawn: Drawn, vector: int, position: int) -> Array:
        """Compute or draw the data of this tensor for one vector."""
        dtype = DTYPES[self.tensor.dtype][0]
        if self.slot.value is not None:
            value = self.slot.value({**env, "i": self.index})
            return np.asarray(value, dtype=dtype).reshape(self.tensor.shape)
        rng = values.generator(drawn.seed, vector, position)
        specials = spec.specials if self.role == "input" else ()
        if self.slot.low is not None and self.slot.high is not None:
            return self._ranged(rng, self.slot.low(env), self.slot.high(env), drawn.value_class, specials)
        low, high = self._range(spec, env)
        kind = self.tensor.dtype
        data = values.fill(rng, kind, self.tensor.shape, drawn.value_class, low, high, specials, self.tensor.quant)
        return data if self.tensor.sparsity is None else values.thinned(rng, data, SPARSE_SHARE)

    def _ranged(
        self, rng: np.random.Generator, low: Any, high: Any, value_class: str, specials: Sequence[str]
    ) -> Array:
        """Draw within the slot's own range, which may differ along the last axis, in the slot's order."""
        dtype, shape = self.tensor.dtype, self.tensor.shape
        if self.slot.order == "increasing":
            try:
                return values.increasing(rng, shape, low, high).astype(DTYPES[dtype][0])
            except ValueError as error:
                raise Discard("domain") from error

        def fill_part(part: tuple[int, ...], least: float, most: float) -> Array:
            kind = "int64" if dtype == "string" else dtype  # a string of that range is a number, written out
            return values.fill(rng, kind, part, value_class, least, most, specials, self.tensor.quant)

        data = values.by_column(fill_part, shape, low, high).astype(DTYPES[dtype][0])
        return values.ascending(data) if self.slot.order else data

    def _range(self, spec: OpSpec, env: Mapping[str, Any]) -> tuple[float, float]:
        """Return the range of the stored values: the spec's for the slot or the dtype, or the dtype's own."""
        dtype, kind = self.tensor.dtype, DTYPES[self.tensor.dtype][0].kind
        if self.rule is not None and self.rule.range is not None:
            return float(self.rule.range[0]), float(self.rule.range[1])
        if self.tensor.quant is not None and kind in "iu":
            return BIASES if DTYPES[dtype][0].itemsize >= 4 else _floats(integer_range(dtype))
        for key in (self.slot.name, dtype):
            if key in spec.values:
                low, high = spec.values[key]
                return float(low(env)), float(high(env))
        if kind in "fc" or dtype == "bfloat16":
            return FLOATS
        if kind in "bS":
            return 0.0, 1.0
        return _floats(integer_range(dtype)) if DTYPES[dtype][0].itemsize <= 2 else _clamped(dtype)


def _floats(pair: tuple[int, int]) -> tuple[float, float]:
    return float(pair[0]), float(pair[1])


def _clamped(dtype: str) -> tuple[float, float]:
    low, high = integer_range(dtype)
    return max(float(low), INTEGERS[0]), min(float(high), INTEGERS[1])


@dataclass(frozen=True, slots=True)
class Resolved:
    """All input tensors of a case, and what expressions see of the slots."""

    parts: tuple[Part, ...]
    views: Mapping[str, SlotView]


def resolve_inputs(
    spec: OpSpec,
    row: str,
    env: Mapping[str, Any],
    plan: Mapping[str, Any],
    source: Source,
    ties: bool,
    changes: Mapping[str, Any] | None = None,
) -> Resolved:
    """Give every input its shape, role and quantization; `changes` maps a slot to another shape rule."""
    parts: list[Part] = []
    seen: dict[str, Any] = {**env, **bare_views(spec, row)}
    for slot in spec.inputs:
        if not exists(slot, spec, row, seen):
            continue
        count = int(slot.repeat(seen)) if slot.repeat else 1
        role = _role(slot, plan, source, seen)
        for index in range(count):
            rule_of_shape = (changes or {}).get(slot.name, slot.shape)
            shape = rule_of_shape({**seen, "i": index})
            part = _part(spec, row, slot, shape, role, index, seen, source, ties)
            parts.append(part)
            if index == 0:
                seen[slot.name] = view_of(part.tensor)
    return Resolved(tuple(parts), {slot.name: seen[slot.name] for slot in spec.inputs if slot.name in seen})


def exists(slot: Slot, spec: OpSpec, row: str, env: Mapping[str, Any]) -> bool:
    """Tell whether a case has a slot: a row that does not name it has none."""
    return slot.name in spec.types[row] and (slot.only is None or bool(slot.only(env)))


@lru_cache(maxsize=256)
def bare_views(spec: OpSpec, row: str) -> Mapping[str, SlotView]:
    """Return views of all slots that show their dtypes alone: a computed attribute may depend on those."""
    return {name: SlotView(dtype, ()) for name, dtype in spec.types[row].items()}


def _role(slot: Slot, plan: Mapping[str, Any], source: Source, env: Mapping[str, Any]) -> str:
    if slot.variable:
        return "variable"
    if slot.intermediate:
        return "intermediate"
    if slot.absent is not None and slot.absent(env):
        return "absent"
    absent = f"{slot.name}.absent"
    if slot.optional and (plan[absent] if absent in plan else source.boolean()):
        return "absent"
    constant = f"{slot.name}.constant"
    if slot.constant == "either":
        return "constant" if (plan[constant] if constant in plan else source.boolean()) else "input"
    return "constant" if slot.constant == "yes" else "input"


def _part(
    spec: OpSpec,
    row: str,
    slot: Slot,
    shape: tuple[int, ...],
    role: str,
    index: int,
    seen: Mapping[str, Any],
    source: Source,
    ties: bool,
) -> Part:
    if math.prod(shape) > MOST_ELEMENTS or any(n < 0 for n in shape):
        raise Discard("size")
    if role == "constant" and math.prod(shape) == 0:
        # A .tflite buffer of no bytes cannot be told from a tensor that is fed.
        if slot.constant == "yes":
            raise Discard("size")
        role = "input"
    dtype = spec.types[row][slot.name]
    rule = spec.quantization.get(row, {}).get(slot.name)
    sparsity = None if slot.sparse is None else _sparsity(slot.sparse(seen))
    quant = None if rule is None else _quant(rule, dtype, shape, seen, source, ties, index, slot)
    name = f"{slot.name}#{index}" if slot.repeat else slot.name
    return Part(slot, TensorType(name, dtype, shape, quant, sparsity=sparsity), role, rule, index)


def _sparsity(drawn: Sequence[Any]) -> Sparsity:
    order, compressed, blocks = drawn
    pairs = tuple((int(axis), int(size)) for axis, size in blocks)
    return Sparsity(tuple(int(n) for n in order), tuple(bool(c) for c in compressed), pairs)


def _quant(
    rule: QuantRule,
    dtype: str,
    shape: Shape,
    seen: Mapping[str, Any],
    source: Source,
    ties: bool,
    index: int,
    slot: Slot,
) -> Quant:
    if rule.kind == "same_as":
        same: SlotView = seen[rule.same_as] if rule.same_as != slot.name or index else seen[slot.name]
        scale = tuple(float(s) for s in np.atleast_1d(np.asarray(same.scale)))
        zero = tuple(int(z) for z in np.atleast_1d(np.asarray(same.zero_point)))
        return Quant(scale, zero)
    return draw_quant(rule, dtype, shape, seen, source, ties)


def view_of(tensor: TensorType) -> SlotView:
    """Return what expressions see of a tensor."""
    quant = tensor.quant
    if quant is None:
        return SlotView(tensor.dtype, tensor.shape)
    if quant.per_axis:
        return SlotView(tensor.dtype, tensor.shape, np.asarray(quant.scale), np.asarray(quant.zero_point))
    return SlotView(tensor.dtype, tensor.shape, quant.scale[0], quant.zero_point[0])
