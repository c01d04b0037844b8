"""Operators of a whole model as cases of their specs, so that the reference runs it and judges each one by itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import repeat
from typing import Any

from opconform.harness.compare import Judge, make_judge, wanted_in
from opconform.harness.exact import promised_family, run_twin
from opconform.harness.expr import ExpressionError
from opconform.harness.expr_functions import SlotView
from opconform.harness.flatread import ModelView, Operation
from opconform.harness.generate.cases import Built, ReferenceMismatch, real_value, run_reference
from opconform.harness.generate.slots import bare_views, view_of
from opconform.harness.generate.source import Discard
from opconform.harness.model import DTYPES, Array, Case, Input, TensorType
from opconform.harness.numerics import FAMILIES
from opconform.harness.spec import OpSpec, Slot
from opconform.harness.unit import Oracle

#: Tensor -> what it holds at each invocation.
Values = Mapping[int, Sequence[Array]]


@dataclass(frozen=True, slots=True)
class Step:
    """One operator of a model as a case of its spec without vectors; `why` says why it is none, where it is none.

    `fed` are the tensors that come from outside or from other operators, in the order of the case's fed inputs.
    """

    operation: Operation
    spec: OpSpec | None = None
    row: str = ""
    inputs: tuple[Input, ...] = ()
    outputs: tuple[TensorType, ...] = ()
    fed: tuple[int, ...] = ()
    attributes: Mapping[str, Any] = field(default_factory=dict)
    env: Mapping[str, Any] = field(default_factory=dict)
    why: str = ""

    @property
    def label(self) -> str:
        """Return the operator's place and row for a reader, e.g. #3 CONV_2D/int8."""
        return f"#{self.operation.index} {self.operation.op}" + (f"/{self.row}" if self.row else "")

    @property
    def stateful(self) -> bool:
        """Tell whether it keeps something from one invocation to the next."""
        return any(slot.role == "variable" for slot in self.inputs)


def steps_of(view: ModelView, specs: Mapping[str, OpSpec]) -> tuple[Step, ...]:
    """Find the spec's row of every operator of a model."""
    return tuple(_step(view, operation, specs.get(operation.op)) for operation in view.operations)


def _step(view: ModelView, operation: Operation, spec: OpSpec | None) -> Step:
    if spec is None:
        return Step(operation, why="it has no spec")
    if spec.graph is not None or spec.custom:
        what = "it is a custom operator" if spec.custom else "its spec speaks of more than one operator"
        return Step(operation, spec, why=what)
    if uneven := [t.name for t in (view.tensors[i] for i in operation.inputs if i >= 0) if not _even(t)]:
        return Step(operation, spec, why=f"{uneven[0]} has another number of scales than its dimension has places")
    found = [(fit, row) for row in spec.rows if (fit := _fit(view, operation, spec, row)) is not None]
    if not found:
        types = ", ".join(view.tensors[i].dtype for i in (*operation.inputs, *operation.outputs) if i >= 0)
        return Step(operation, spec, why=f"no row of {spec.file} has its types ({types})")
    (_, slots), row = max(found, key=lambda pair: pair[0][0])
    return _filled(view, operation, spec, row, slots)


def _even(tensor: TensorType) -> bool:
    """Tell whether a tensor has one scale, or one for each place of the dimension that it names."""
    quant = tensor.quant
    if quant is None or not quant.per_axis:
        return True
    return quant.axis < len(tensor.shape) and tensor.shape[quant.axis] == len(quant.scale)


def _fit(view: ModelView, operation: Operation, spec: OpSpec, row: str) -> tuple[int, list[tuple[Slot, str]]] | None:
    """Return the slots of a row that the operator's inputs stand for, and how well its quantization fits; or None."""
    env = _derived(spec, {"row": row, **operation.options})
    inputs = _named([s for s in spec.inputs if not s.intermediate], spec, row, env, len(operation.inputs))
    outputs = _named(spec.outputs, spec, row, env, len(operation.outputs))
    if inputs is None or outputs is None:
        return None
    rules, score = spec.quantization.get(row, {}), 0
    for (slot, _), index in zip(inputs + outputs, (*_padded(operation, inputs), *operation.outputs), strict=True):
        if index < 0:
            if not slot.optional and slot.absent is None:
                return None
            continue
        tensor, rule = view.tensors[index], rules.get(slot.name)
        if tensor.dtype != spec.types[row][slot.name]:
            return None
        score += (rule is None) == (tensor.quant is None)
        score += (rule is not None and rule.kind == "per_axis") == (tensor.quant is not None and tensor.quant.per_axis)
    return score + _named_by_options(operation, spec, row), inputs


def _named_by_options(operation: Operation, spec: OpSpec, row: str) -> int:
    """Return how many options say what the row's dtypes would have them say: they tell of an absent bias."""
    views = bare_views(spec, row)
    computed = [a for a in spec.attributes if a.value is not None and a.value.names <= set(views)]
    return sum(a.value(views) == operation.options.get(a.name) for a in computed if a.value is not None)


def _padded(operation: Operation, inputs: Sequence[tuple[Slot, str]]) -> tuple[int, ...]:
    """Return the inputs' tensors; those that a short list leaves out are absent."""
    return (*operation.inputs, *repeat(-1, len(inputs) - len(operation.inputs)))


def _named(
    slots: Sequence[Slot], spec: OpSpec, row: str, env: Mapping[str, Any], count: int
) -> list[tuple[Slot, str]] | None:
    """Return slots with the names that their tensors have in a case; None where there are more tensors than slots."""
    present = [slot for slot in slots if slot.name in spec.types[row] and _may_exist(slot, env)]
    several = [slot for slot in present if slot.repeat]
    times = count - len(present) + 1
    if len(several) > 1 or (several and times < 1) or (not several and count > len(present)):
        return None
    numbered = [(slot, f"{slot.name}#{n}") for slot in several for n in range(times)]
    return [pair for slot in present for pair in (numbered if slot.repeat else [(slot, slot.name)])]


def _may_exist(slot: Slot, env: Mapping[str, Any]) -> bool:
    try:
        return slot.only is None or bool(slot.only(env))
    except ExpressionError:
        return True  # it hangs on a draw of the generator, which a file does not tell


def _derived(spec: OpSpec, env: dict[str, Any]) -> dict[str, Any]:
    """Add the derived symbols that can be computed from what is known."""
    for name, rule in spec.derive.items():
        if name not in env:
            try:
                env[name] = rule(env)
            except ExpressionError:
                continue
    return env


def _filled(view: ModelView, operation: Operation, spec: OpSpec, row: str, slots: Sequence[tuple[Slot, str]]) -> Step:
    inputs, fed, env = [], [], dict[str, Any]({"row": row, **operation.options})
    for (slot, name), index in zip(slots, _padded(operation, slots), strict=True):
        one = _input(view, slot, TensorType(name, spec.types[row][slot.name], ()), index)
        inputs.append(one)
        if one.role == "input":
            fed.append(index)
        if one.role != "absent":
            env |= _symbols(spec, slot, one.tensor)
            if not name.partition("#")[2].strip("0"):
                env[slot.name] = _view(one)
    inside = [slot for slot in spec.inputs if slot.intermediate and slot.name in spec.types[row]]
    inputs += [
        _input(view, slot, TensorType(slot.name, spec.types[row][slot.name], ()), i)
        for slot, i in zip(inside, operation.intermediates, strict=False)
    ]
    named = _named(spec.outputs, spec, row, env, len(operation.outputs)) or []
    outputs = [replace(view.tensors[i], name=name) for (_, name), i in zip(named, operation.outputs, strict=True)]
    env |= {tensor.name.removesuffix("#0"): view_of(tensor) for tensor in outputs}
    env = _derived(spec, env)
    attributes = {a.name: _attribute(a, operation, env) for a in spec.attributes}
    return Step(operation, spec, row, tuple(inputs), tuple(outputs), tuple(fed), attributes, env | attributes)


def _attribute(attribute: Any, operation: Operation, env: Mapping[str, Any]) -> Any:
    if attribute.name in operation.options or attribute.value is None:
        return operation.options.get(attribute.name)
    try:
        return attribute.value(env)
    except ExpressionError:
        return None


def _input(view: ModelView, slot: Slot, bare: TensorType, index: int) -> Input:
    """Return an operand; one that is absent keeps the dtype of its row, which tells the width of what is added up."""
    if index < 0:
        return Input(bare, "absent")
    tensor = replace(view.tensors[index], name=bare.name)
    if slot.intermediate:
        return Input(tensor, "intermediate")
    if slot.variable:
        return Input(tensor, "variable")
    data = view.constants.get(index)
    return Input(tensor, "input" if data is None else "constant", data)


def _view(one: Input) -> SlotView:
    view = view_of(one.tensor)
    return view if one.data is None else replace(view, values=real_value(one.data, one.tensor))


def _symbols(spec: OpSpec, slot: Slot, tensor: TensorType) -> dict[str, Any]:
    """Return the symbols of a spec that the shape of a tensor settles."""
    known = {draw.name for draw in spec.domain} | set(spec.derive)
    if slot.shape.whole is not None:
        return {slot.shape.whole.text: tensor.shape} if slot.shape.whole.text in known else {}
    if len(slot.shape.parts) != len(tensor.shape):
        return {}
    return {part.text: n for part, n in zip(slot.shape.parts, tensor.shape, strict=True) if part.text in known}


def case_of(step: Step, vectors: Sequence[tuple[Array, ...]]) -> Case:
    """Return an operator of a model as a case that is fed with these vectors."""
    symbols = {name: value for name, value in step.env.items() if not isinstance(value, SlotView)}
    return Case(
        id=f"{step.operation.op}/{step.row}/#{step.operation.index}",
        op=step.operation.op,
        row=step.row,
        attributes=step.attributes,
        symbols=symbols,
        inputs=step.inputs,
        outputs=step.outputs,
        vectors=tuple(vectors),
    )


def fed_to(step: Step, values: Values) -> list[tuple[Array, ...]]:
    """Return what an operator is fed with at each invocation. Every model has at least one invocation."""
    count = max((len(held) for held in values.values()), default=1)
    return [tuple(values[i][n] for i in step.fed) for n in range(count)]


def run_whole(
    view: ModelView, steps: Sequence[Step], oracle: Oracle, vectors: Sequence[tuple[Array, ...]]
) -> Values | str:
    """Run a model by the reference; return every tensor, or why it cannot.

    Floats are float64 from the inputs to the outputs; quantized operators give integers, of the integer definition
    where there is one. A model with variables starts anew with each vector.
    """
    values = _given(view, vectors)
    for step in steps:
        if step.why or step.spec is None:
            return f"{step.label}: {step.why}"
        if any(index not in values for index in step.fed):
            return f"{step.label}: an input is given by no operator before it"
        try:
            produced = [_right(step, step.spec, oracle, part) for part in in_parts(step, fed_to(step, values))]
        except (ReferenceMismatch, Discard) as error:
            return f"{step.label}: {error}"
        answers = [outputs for part in produced for outputs in part]
        values |= {index: [outputs[n] for outputs in answers] for n, index in enumerate(step.operation.outputs)}
    return values


def _given(view: ModelView, vectors: Sequence[tuple[Array, ...]]) -> dict[int, Sequence[Array]]:
    """Return the tensors that no operator gives: the inputs, and constants that are outputs of the model."""
    fed: dict[int, Sequence[Array]] = {i: [vector[n] for vector in vectors] for n, i in enumerate(view.inputs)}
    return fed | {i: [view.constants[i]] * len(vectors) for i in view.outputs if i in view.constants}


def in_parts(step: Step, vectors: Sequence[tuple[Array, ...]]) -> Iterator[Sequence[tuple[Array, ...]]]:
    """Split vectors where state starts anew: at each one for an operator that keeps some."""
    if not step.stateful:
        yield vectors
    else:
        yield from ([vector] for vector in vectors)


def _right(
    step: Step, spec: OpSpec, oracle: Oracle, vectors: Sequence[tuple[Array, ...]]
) -> Sequence[tuple[Array, ...]]:
    right: Sequence[tuple[Array, ...]] | None = _exact(spec, oracle, case_of(step, vectors))
    if right is None:
        ideals = _built(step, spec, oracle, vectors).ideals
        right = [tuple(wanted_in(i, t) for i, t in zip(ideal, step.outputs, strict=True)) for ideal in ideals]
    return [tuple(_stored(a, t) for a, t in zip(answer, step.outputs, strict=True)) for answer in right]


def _stored(data: Array, tensor: TensorType) -> Array:
    """Return integers in the dtype of the file; floats stay as exact as they are."""
    return data if data.dtype.kind in "fc" else data.astype(DTYPES[tensor.dtype][0])


def _built(step: Step, spec: OpSpec, oracle: Oracle, vectors: Sequence[tuple[Array, ...]]) -> Built:
    ideals = run_reference(spec, step.inputs, vectors, step.attributes, oracle.kernels[spec.op])
    return Built(case_of(step, vectors), ideals, step.env)


def _exact(spec: OpSpec, oracle: Oracle, case: Case) -> tuple[tuple[Array, ...], ...] | None:
    """Run the integer definition. Raises ReferenceMismatch where a file breaks the rules that it relies on."""
    family, twin = promised_family(spec, case.row), oracle.twins.get(spec.op)
    if not family or twin is None:
        return None
    try:
        return run_twin(case, twin, FAMILIES[family])
    except Exception as error:  # no spec draws such operands: what fails hangs on what the file holds
        raise ReferenceMismatch(f"the integer definition fails: {type(error).__name__}: {error}") from error


def judge_of(step: Step, oracle: Oracle, vectors: Sequence[tuple[Array, ...]]) -> Judge:
    """Return what is right for an operator that is fed with these vectors, and how far off is allowed.

    Raises ExpressionError where the spec's rule needs what only its generator knows, ReferenceMismatch and Discard.
    """
    if step.spec is None:
        raise ReferenceMismatch(f"{step.label}: {step.why}")
    built = _built(step, step.spec, oracle, vectors)
    return make_judge(step.spec, built, oracle.kernels[step.spec.op], _exact(step.spec, oracle, built.case))
