"""Control flow: operators that run subgraphs."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

import numpy as np

from opconform.harness.model import Array
from opconform.harness.runtime import RuntimeFailure
from opconform.runtimes.lite.graph import Memory, Node, Prepared, Step
from opconform.runtimes.lite.resources import Body, PrepareWith, Services


class BudgetExceeded(RuntimeFailure, TimeoutError):
    """A loop ran longer than the session allows."""


def prepare_while(node: Node, services: Services) -> Prepared:
    """Prepare WHILE: both subgraphs live in this operator's scratch and run until the condition is false."""
    inputs = [node.input(i) for i in range(len(node.inputs))]
    node.require(len(inputs) == len(node.outputs), f"{len(inputs)} inputs and {len(node.outputs)} outputs")
    shapes = tuple(operand.shape for operand in inputs)
    cond = services.plan_body(services, node.options.number("cond"), shapes)
    body = services.plan_body(services, node.options.number("body"), shapes)
    node.require(len(cond.output_shapes) == 1, "the condition must have one output")
    node.require(
        len(body.output_shapes) == len(shapes),
        f"the body has {len(body.output_shapes)} outputs for {len(shapes)} tensors",
    )
    if any(found is not None and found != shape for found, shape in zip(body.output_shapes, shapes, strict=False)):
        raise node.unsupported("a loop whose tensors change their shapes is not supported")
    if None in body.output_shapes or None in cond.output_shapes:
        raise node.unsupported("a loop with data-dependent shapes is not supported")

    def build(m: Memory) -> Step:
        condition, loop = cond.start(m.scratch[0]), body.start(m.scratch[1])
        _check_loop(node, [flat.dtype for flat in m.inputs], condition, loop)
        return lambda: _run_loop(node, m, condition, loop, services.seconds)

    return Prepared(shapes, build, (cond.arena, body.arena))


def _check_loop(node: Node, dtypes: list[np.dtype[np.generic]], condition: Body, loop: Body) -> None:
    sides = {
        "the condition's inputs": condition.inputs,
        "the body's inputs": loop.inputs,
        "the body's outputs": loop.outputs,
    }
    for name, flats in sides.items():
        found = [flat.dtype for flat in flats]
        node.require(found == dtypes, f"{name} are {[str(d) for d in found]}, not {[str(d) for d in dtypes]}")
    node.require([operand.dtype for operand in node.outputs] == dtypes, "outputs differ from inputs in dtype")
    verdict = condition.outputs[0]
    node.require(verdict.dtype == np.bool_ and verdict.size == 1, "the condition's output must be one bool")


def _run_loop(node: Node, m: Memory, condition: Body, loop: Body, seconds: float) -> None:
    _move(m.inputs, m.outputs)
    deadline = time.monotonic() + seconds
    while True:
        _move(m.outputs, condition.inputs)
        condition.run()
        if not condition.outputs[0][0]:
            return
        _move(m.outputs, loop.inputs)
        loop.run()
        _move(loop.outputs, m.outputs)
        if time.monotonic() > deadline:
            raise BudgetExceeded(f"{node.where}: the loop did not end within {seconds:g} s")


def prepare_if(node: Node, services: Services) -> Prepared:
    """Prepare IF: both branches share this operator's scratch, and one of them runs."""
    condition = node.input(0)
    node.require(condition.dtype == np.bool_ and condition.size == 1, "input 0, the condition, must be one bool")
    shapes = tuple(node.input(i).shape for i in range(1, len(node.inputs)))
    names = ("then_branch", "else_branch")
    plans = [services.plan_body(services, node.options.number(name), shapes) for name in names]
    found = [plan.output_shapes for plan in plans]
    for name, outputs in zip(names, found, strict=True):
        node.require(len(outputs) == len(node.outputs), f"{name} has {len(outputs)} outputs for {len(node.outputs)}")
    if found[0] != found[1] or None in found[0]:
        raise node.unsupported("branches with outputs of different or data-dependent shapes are not supported")

    def build(m: Memory) -> Step:
        branches = [plan.start(m.scratch[0]) for plan in plans]
        for branch in branches:
            _check_branch(node, m, branch)

        def run() -> None:
            branch = branches[0] if m.inputs[0][0] else branches[1]
            _move(m.inputs[1:], branch.inputs)
            branch.run()
            _move(branch.outputs, m.outputs)

        return run

    return Prepared(tuple(s for s in found[0] if s is not None), build, (max(plan.arena for plan in plans),))


def _check_branch(node: Node, m: Memory, branch: Body) -> None:
    for name, own, given in (("inputs", branch.inputs, m.inputs[1:]), ("outputs", branch.outputs, m.outputs)):
        inside, outside = [str(flat.dtype) for flat in own], [str(flat.dtype) for flat in given]
        node.require(inside == outside, f"a branch's {name} are {inside}, not {outside}")


def prepare_call_once(node: Node, services: Services) -> Prepared:
    """Prepare CALL_ONCE: its subgraph runs at the session's first invocation, for its effects."""
    node.require(not node.inputs and not node.outputs, "inputs or outputs are given; none are allowed")
    plan = services.plan_body(services, node.options.number("init"), ())
    node.require(not plan.output_shapes, "the subgraph has outputs; none are allowed")

    def build(m: Memory) -> Step:
        body, calls = plan.start(m.scratch[0]), [1]

        def run() -> None:
            if calls:
                body.run()
                calls.clear()

        return run

    return Prepared((), build, (plan.arena,))


def _move(sources: Sequence[Array], targets: Sequence[Array]) -> None:
    for source, target in zip(sources, targets, strict=True):
        np.copyto(target, source)


CONTROL_OPS: Mapping[str, PrepareWith] = {
    "CALL_ONCE": prepare_call_once,
    "IF": prepare_if,
    "WHILE": prepare_while,
}
