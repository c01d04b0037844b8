"""Break exactly one clause of a legal case."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from opconform.harness.expr import ExpressionError
from opconform.harness.generate import codec, structure
from opconform.harness.generate.cases import Built, Kernel, Request, build_legal, draw, fill_inputs
from opconform.harness.generate.slots import bare_views, resolve_inputs
from opconform.harness.generate.source import Discard, Source, replay
from opconform.harness.model import DTYPES, Array, Case, Input, Quant
from opconform.harness.spec import Invalid, OpSpec


def build_invalid(spec: OpSpec, row: str, source: Source, kernel: Kernel, request: Request, invalid: Invalid) -> Built:
    """Build a legal case from the source, then break the one clause. Discards where the clause cannot be broken."""
    label = invalid.clause.label
    if not invalid.clause.applies(row):
        raise Discard(label)
    before = len(source.choices)
    legal = build_legal(spec, row, source, kernel, request)
    if invalid.when is not None and not invalid.when(legal.env):
        raise Discard(label)
    identity = codec.encode(spec, row, source)
    case = replace(legal.case, id=identity, violates=label, classes=("invalid",))
    try:
        if invalid.kind in ("with", "shape"):
            case = _rebuilt(spec, row, replay(source.choices[before:]), request, invalid, case)
        else:
            case = _changed(invalid, legal.env, case)
    except (ExpressionError, ValueError) as error:
        raise Discard(label) from error
    tensors = [i.tensor for i in case.inputs if i.role not in ("absent", "intermediate")] + list(case.outputs)
    if any(math.prod(t.shape) == 0 for t in tensors):
        raise Discard(label)  # where nothing is computed, little can be wrong, and some runtimes refuse it anyway
    return Built(replace(case, vectors=case.vectors[:1]), ())


def _rebuilt(spec: OpSpec, row: str, source: Source, request: Request, invalid: Invalid, legal: Case) -> Case:
    """Assemble the case again with another symbol, attribute or shape; outputs stay as they were."""
    drawn = draw(spec, row, source, request, exhaustive=False)
    env: dict[str, Any] = dict(drawn.env)
    if invalid.kind == "with":
        env |= {name: rule(env) for name, rule in invalid.changes.items()}
    changes = invalid.changes if invalid.kind == "shape" else None
    broken = replace(drawn, env=env)
    resolved = resolve_inputs(spec, row, env, drawn.plan, source, drawn.ties, changes)
    env |= resolved.views
    computed = structure.computed_attributes(spec, {**bare_views(spec, row), **env})
    env |= {k: v for k, v in computed.items() if k not in invalid.changes}
    if any(part.role == "absent" and part.slot.name in (changes or {}) for part in resolved.parts):
        raise Discard(invalid.clause.label)
    inputs, vectors = fill_inputs(spec, resolved, env, broken)
    return replace(legal, inputs=inputs, vectors=vectors, attributes={a.name: env[a.name] for a in spec.attributes})


def _changed(invalid: Invalid, env: Mapping[str, Any], case: Case) -> Case:
    """Change dtype, quantization, data or presence of one slot."""
    for name, change in invalid.changes.items():
        case = _change_slot(invalid.kind, name, change, env, case)
    return case


def _change_slot(kind: str, name: str, change: Any, env: Mapping[str, Any], case: Case) -> Case:
    outputs = [t.name for t in case.outputs if t.name in (name, f"{name}#0")]
    if outputs:
        changed = tuple(_output(kind, t, change, env) if t.name in outputs else t for t in case.outputs)
        return replace(case, outputs=changed)
    position = next((p for p, i in enumerate(case.inputs) if _named(i, name)), None)
    if position is None or case.inputs[position].role == "absent":
        raise Discard(name)
    slot = case.inputs[position]
    fed = sum(1 for i in case.inputs[:position] if i.role == "input")
    if kind == "missing":
        inputs = (*case.inputs[:position], *case.inputs[position + 1 :])
        vectors = case.vectors
        if slot.role == "input":
            vectors = tuple((*v[:fed], *v[fed + 1 :]) for v in vectors)
        return replace(case, inputs=inputs, vectors=vectors)
    new = _input(kind, slot, change, env)
    vectors = case.vectors
    if slot.role == "input":
        vectors = tuple((*v[:fed], _data(kind, v[fed], new, change, env), *v[fed + 1 :]) for v in vectors)
    elif slot.data is not None:
        new = replace(new, data=_data(kind, slot.data, new, change, env))
    return replace(case, inputs=(*case.inputs[:position], new, *case.inputs[position + 1 :]), vectors=vectors)


def _named(slot: Input, name: str) -> bool:
    return slot.tensor.name in (name, f"{name}#0")


def _output(kind: str, tensor: Any, change: Any, env: Mapping[str, Any]) -> Any:
    if kind == "dtype":
        return replace(tensor, dtype=change)
    return replace(tensor, quant=_quant(kind, tensor.quant, change, env))


def _input(kind: str, slot: Input, change: Any, env: Mapping[str, Any]) -> Input:
    if kind == "dtype":
        return replace(slot, tensor=replace(slot.tensor, dtype=change))
    if kind in ("scale", "zero_point"):
        return replace(slot, tensor=replace(slot.tensor, quant=_quant(kind, slot.tensor.quant, change, env)))
    return slot


def _quant(kind: str, quant: Quant | None, change: Any, env: Mapping[str, Any]) -> Quant:
    quant = quant or Quant((1.0,), (0,))
    value = change(env)
    if kind == "scale":
        return replace(quant, scale=(float(value),) * len(quant.scale))
    return replace(quant, zero_point=(int(value),) * len(quant.zero_point))


def _data(kind: str, old: Array, new: Input, change: Any, env: Mapping[str, Any]) -> Array:
    dtype = DTYPES[new.tensor.dtype][0]
    if kind == "value":
        value = np.asarray(change(env), dtype=dtype)
        return np.broadcast_to(value, old.shape).copy() if value.size == 1 else value.reshape(old.shape)
    old = old.real if old.dtype.kind == "c" and dtype.kind != "c" else old
    if "S" in (old.dtype.kind, dtype.kind):  # a word is no number
        return np.zeros(old.shape, dtype)
    with np.errstate(all="ignore"):
        return old.astype(dtype)
