"""Build a case from a source of decisions: structure, quantization, values, reference results."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, lru_cache, partial
from typing import Any

import numpy as np

from opconform.harness.errors import InputError
from opconform.harness.expr_functions import SlotView
from opconform.harness.generate import codec, structure, values
from opconform.harness.generate.pairwise import Row, covering_rows
from opconform.harness.generate.quantize import draw_fit, draw_quant, fit_output
from opconform.harness.generate.slots import Resolved, bare_views, exists, resolve_inputs, view_of
from opconform.harness.generate.source import Discard, Source
from opconform.harness.model import Array, Case, Input, Quant, Shape, TensorType
from opconform.harness.numerics import Undecided, dequantize, is_float
from opconform.harness.spec import OpSpec, QuantRule, Slot

Kernel = Callable[..., Any]
LEGAL, EXHAUSTIVE, FIRST_INVALID = 0, 1, 2
MOST_VECTORS = 64


class ReferenceMismatch(InputError):
    """The reference kernel fails on a legal case, or its result has another shape than the spec's rule."""


@dataclass(frozen=True, slots=True)
class Built:
    """A case and the reference's real-valued results: one tuple of arrays per vector."""

    case: Case
    ideals: tuple[tuple[Array, ...], ...]
    env: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Request:
    """What the caller settles of a case; the rest is drawn. None: drawn as well."""

    mode: int = LEGAL
    plan: int | None = None
    vectors: int = 4
    value_class: str = "ordinary"
    canonical: bool = False  # symbols and attributes are those that the spec's costs are measured with


@lru_cache(maxsize=256)
def plans(spec: OpSpec, row: str) -> tuple[Row, ...]:
    """Return the pairwise covering rows of an op's row."""
    return covering_rows(structure.factors(spec, row))


@lru_cache(maxsize=256)
def classes_of(spec: OpSpec, row: str) -> tuple[str, ...]:
    """Return the value classes that say something for a row."""
    floats = any(is_float(spec.types[row][slot.name]) for slot in spec.inputs if slot.name in spec.types[row])
    ties = row in spec.quantization or not floats
    chosen = ["ordinary", "boundaries", "saturating"]
    return tuple(chosen + ["ties"] * ties + ["specials"] * bool(floats and spec.specials))


def build_legal(
    spec: OpSpec, row: str, source: Source, kernel: Kernel, request: Request, exhaustive: bool = False
) -> Built:
    """Build a case that the spec allows, with the reference's results."""
    drawn = draw(spec, row, source, request, exhaustive)
    resolved = resolve_inputs(spec, row, drawn.env, drawn.plan, source, drawn.ties)
    env = {**drawn.env, **resolved.views}
    env |= structure.computed_attributes(spec, {**bare_views(spec, row), **env})
    focus = draw_focus(resolved, source)
    inputs, vectors = fill_inputs(spec, resolved, env, drawn, focus)
    attributes = {a.name: env[a.name] for a in spec.attributes}
    ideals = run_reference(spec, inputs, vectors, attributes, kernel)
    env |= {
        name: view.with_values(cache(partial(_real, inputs, vectors, name))) for name, view in resolved.views.items()
    }
    outputs = make_outputs(spec, row, env, ideals, source, drawn.ties)
    env |= {t.name.removesuffix("#0"): view_of(t) for t in outputs}
    for require in spec.require:
        if require.clause.applies(row) and not require.that(env):
            raise Discard(require.clause.label)
    case = Case(
        id=codec.encode(spec, row, source),
        op=spec.op,
        row=row,
        attributes=attributes,
        symbols={name: drawn.env[name] for name in drawn.env if name != "row"},
        inputs=inputs,
        outputs=outputs,
        vectors=vectors,
        classes=("exhaustive",) if exhaustive else (drawn.value_class, *["large"] * source.large),
        choices=tuple(source.choices),
    )
    return Built(case, ideals, env)


@dataclass(frozen=True, slots=True)
class Drawn:
    """The decisions before any tensor exists."""

    env: Mapping[str, Any]
    plan: Mapping[str, Any]
    value_class: str
    seed: int
    vectors: int
    first: int = 0  # the first vector's number: a shrunk case starts at the one that fails
    exhaustive: tuple[str, ...] = ()

    @property
    def ties(self) -> bool:
        """Tell whether scales are powers of two, where halves are frequent."""
        return self.value_class == "ties"


def draw(spec: OpSpec, row: str, source: Source, request: Request, exhaustive: bool) -> Drawn:
    """Draw attributes, symbols, value class and seed."""
    rows = plans(spec, row)
    index = source.fixed("plan", len(rows) if request.plan is None else request.plan, 0, len(rows))
    vectors = source.fixed("vectors", request.vectors, 1, MOST_VECTORS)
    classes = classes_of(spec, row)
    wanted = classes.index(request.value_class) if request.value_class in classes else 0
    chosen = source.fixed("class", wanted, 0, len(classes) - 1)
    plan = dict(rows[index]) if index < len(rows) else {}
    if request.canonical:
        plan |= structure.canonical_plan(spec)
    if exhaustive:
        plan |= {_shape_symbol(spec, name): (256,) for name in spec.exhaustive}
    env: dict[str, Any] = {"row": row, **structure.draw_attributes(spec, source, plan)}
    for symbol in spec.domain:
        env[symbol.name] = structure.draw_symbol(symbol, env, source, plan)
    for name, rule in spec.derive.items():
        env[name] = rule(env)
    seed = source.integer(0, 65535)
    first = source.fixed("first", 0, 0, 255)
    return Drawn(env, plan, classes[chosen], seed, vectors, first, spec.exhaustive if exhaustive else ())


def _shape_symbol(spec: OpSpec, slot_name: str) -> str:
    slot = next(s for s in spec.inputs if s.name == slot_name)
    return slot.shape.whole.text if slot.shape.whole else ""


def fill_inputs(
    spec: OpSpec, resolved: Resolved, env: Mapping[str, Any], drawn: Drawn, focus: Sequence[int] = ()
) -> tuple[tuple[Input, ...], tuple[tuple[Array, ...], ...]]:
    """Fill constants, and the fed inputs of every vector; of these the elements of a focus keep their value, or all."""
    if drawn.exhaustive:
        return _fill_exhaustive(spec, resolved, drawn, focus)
    inputs: list[Input] = []
    columns: list[list[Array]] = []
    for position, part in enumerate(resolved.parts):
        tensor, role = part.tensor, part.role
        if role == "constant":
            inputs.append(Input(tensor, role, part.data(spec, env, drawn, 0, position)))
            continue
        inputs.append(Input(tensor, role))
        if role == "input":
            numbers = range(drawn.first, drawn.first + drawn.vectors)
            columns.append([part.data(spec, env, drawn, v, position) for v in numbers])
    vectors = tuple(tuple(column[v] for column in columns) for v in range(drawn.vectors))
    settled = [p.tensor.name for p in resolved.parts if p.slot.value is not None or p.slot.order]
    return tuple(inputs), focused(inputs, vectors, focus, settled)


MOST_FOCUS = 6


def draw_focus(resolved: Resolved, source: Source) -> tuple[int, ...]:
    """Decide which elements of the fed inputs keep their values (none named: all do); for shrinking."""
    total = sum(math.prod(p.tensor.shape) for p in resolved.parts if p.role == "input")
    count = source.fixed("focus", 0, 0, MOST_FOCUS if total else 0)
    return tuple(source.fixed(f"focus{n}", 0, 0, total - 1) for n in range(count))


def focused(
    inputs: Sequence[Input], vectors: tuple[tuple[Array, ...], ...], focus: Sequence[int], settled: Sequence[str] = ()
) -> tuple[tuple[Array, ...], ...]:
    """Set every element outside the focus to zero (of the real numbers), but for inputs whose values are settled."""
    if not focus:
        return vectors
    fed = [slot.tensor for slot in inputs if slot.role == "input"]
    result = []
    for vector in vectors:
        start, kept = 0, []
        for tensor, data in zip(fed, vector, strict=True):
            neutral = np.full_like(data, tensor.quant.zero_point[0] if tensor.quant else 0)
            here = [f - start for f in focus if start <= f < start + data.size]
            neutral.reshape(-1)[here] = data.reshape(-1)[here]
            kept.append(data if tensor.name in settled else neutral)
            start += data.size
        result.append(tuple(kept))
    return tuple(result)


def countable(dtypes: Sequence[str]) -> bool:
    """Tell whether all values can be tried: one or two 8-bit inputs, or one 16-bit input."""
    return 0 < len(dtypes) <= 2 and all(d in ("int8", "uint8") or (d == "int16" and len(dtypes) == 1) for d in dtypes)


def _fill_exhaustive(
    spec: OpSpec, resolved: Resolved, drawn: Drawn, focus: Sequence[int]
) -> tuple[tuple[Input, ...], tuple[tuple[Array, ...], ...]]:
    dtypes = [part.tensor.dtype for part in resolved.parts]
    if any(part.tensor.name not in spec.exhaustive for part in resolved.parts) or not countable(dtypes):
        raise Discard("exhaustive")
    inputs = tuple(Input(part.tensor, "input") for part in resolved.parts)
    everything = values.exhaustive(dtypes)
    some = everything[drawn.first : drawn.first + drawn.vectors] if drawn.vectors < MOST_VECTORS else everything
    return inputs, focused(inputs, tuple(some), focus)


def real_value(data: Array, tensor: TensorType) -> Array:
    """Return what the reference sees of a tensor: dequantized float64, int64, bool, float64, complex128 or bytes."""
    if tensor.quant is not None:
        return dequantize(data, tensor.quant)
    if data.dtype.kind in "bS":
        return data
    if data.dtype.kind == "c":
        return data.astype(np.complex128)
    return data.astype(np.float64 if is_float(tensor.dtype) else np.int64)


def _real(inputs: Sequence[Input], vectors: Sequence[Sequence[Array]], name: str) -> Array:
    """Return all real values of a slot, over all vectors (and all tensors of a repeated slot)."""
    fed = [i for i in inputs if i.role == "input"]
    found = [real_value(i.data, i.tensor) for i in inputs if _is(i, name) and i.data is not None]
    for position, slot in enumerate(fed):
        if _is(slot, name):
            found += [real_value(vector[position], slot.tensor) for vector in vectors]
    return np.concatenate([_as_numbers(f) for f in found] or [np.zeros(0)])


def _as_numbers(data: Array) -> Array:
    """Return the float64 values that expressions see: of complex numbers the magnitudes, of strings none."""
    if data.dtype.kind == "S":
        return np.zeros(0)
    return np.asarray(np.abs(data) if data.dtype.kind == "c" else data, dtype=np.float64).reshape(-1)


def _is(slot: Input, name: str) -> bool:
    return slot.tensor.name == name or slot.tensor.name.rpartition("#")[0] == name


def run_reference(
    spec: OpSpec,
    inputs: Sequence[Input],
    vectors: Sequence[Sequence[Array]],
    attributes: Mapping[str, Any],
    kernel: Kernel,
) -> tuple[tuple[Array, ...], ...]:
    """Run the float64 reference over all vectors, state carried from one to the next."""
    state = [np.zeros(i.tensor.shape) for i in inputs if i.role == "variable"]
    constants = [real_value(i.data, i.tensor) if i.data is not None else None for i in inputs]
    # A repeated output makes their number the kernel's: what follows them is the state, if there is one.
    drawn = any(slot.repeat or slot.only for slot in spec.outputs)
    results = []
    for vector in vectors:
        fed, kept = iter(vector), iter(state)
        pairs = zip(inputs, constants, strict=True)
        arguments = [_argument(i, constant, fed, kept) for i, constant in pairs if i.role != "intermediate"]
        try:
            with np.errstate(all="ignore"):
                produced = kernel(*arguments, **attributes)
        except Undecided as error:
            raise Discard("undecided") from error
        except Exception as error:  # a kernel's bug must name the op, whatever it raises
            raise ReferenceMismatch(
                f"{spec.op}: the reference kernel fails: {type(error).__name__}: {error}"
            ) from error
        parts = produced if isinstance(produced, tuple) else (produced,)
        count = len(parts) - len(state) if drawn else len(spec.outputs)
        results.append(tuple(np.asarray(p) for p in parts[:count]))
        state = [np.asarray(p) for p in parts[count:]]
    return tuple(results)


def _argument(slot: Input, constant: Array | None, fed: Any, kept: Any) -> Array | None:
    match slot.role:
        case "constant":
            return constant
        case "variable":
            return np.asarray(next(kept))
        case "absent":
            return None
        case _:
            return real_value(next(fed), slot.tensor)


def make_outputs(
    spec: OpSpec, row: str, env: Mapping[str, Any], ideals: Sequence[Sequence[Array]], source: Source, ties: bool
) -> tuple[TensorType, ...]:
    """Give every output its shape and quantization; check the shape rule against the reference."""
    outputs: list[TensorType] = []
    rules = spec.quantization.get(row, {})
    for slot in [slot for slot in spec.outputs if exists(slot, spec, row, env)]:
        for index in range(int(slot.repeat(env)) if slot.repeat else 1):
            position = len(outputs)
            shape: Shape = slot.shape({**env, "i": index})
            found = [ideal[position] for ideal in ideals if position < len(ideal)]
            _check_shapes(spec, slot, shape, found)
            name = f"{slot.name}#{index}" if slot.repeat else slot.name
            tensor = TensorType(name, spec.types[row][slot.name], shape, None, slot.dynamic)
            if rule := rules.get(slot.name):
                tensor = replace(tensor, quant=_output_quant(rule, tensor, found, env, source, ties))
            outputs.append(tensor)
    return tuple(outputs)


def _check_shapes(spec: OpSpec, slot: Slot, shape: Shape, found: Sequence[Array]) -> None:
    if not found or (not slot.dynamic and any(f.shape != shape for f in found)):
        got = f"the reference {list(found[0].shape)}" if found else "the reference has no such output"
        raise ReferenceMismatch(
            f"{spec.file}:{slot.line}: {spec.op}.{slot.name}: the shape rule gives {list(shape)}, "
            f"{got}; mend one of them"
        )


def _output_quant(
    rule: QuantRule, tensor: TensorType, found: Sequence[Array], env: Mapping[str, Any], source: Source, ties: bool
) -> Quant:
    if rule.kind == "same_as":
        return Quant(*_pair(env[rule.same_as]))
    if rule.kind in ("fixed", "per_axis"):
        return draw_quant(rule, tensor.dtype, tensor.shape, env, source, ties)
    return fit_output(rule, tensor.dtype, found, draw_fit(source), ties, env, source.large)


def _pair(view: SlotView) -> tuple[tuple[float, ...], tuple[int, ...]]:
    scale = np.atleast_1d(np.asarray(view.scale, dtype=np.float64))
    zero = np.atleast_1d(np.asarray(view.zero_point))
    return tuple(float(s) for s in scale), tuple(int(z) for z in zero)
