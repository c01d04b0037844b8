"""Resource variables: handles, assignments and reads."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from opconform.harness.model import Array
from opconform.runtimes.lite.graph import Memory, Node, Prepared, Step
from opconform.runtimes.lite.resources import PrepareWith, Services, check_handle


def prepare_var_handle(node: Node, services: Services) -> Prepared:
    """Prepare VAR_HANDLE: write the variable's handle."""
    out = node.output()
    node.require(
        out.dtype == np.int32 and out.size == 1, f"the output is {out.dtype}{list(out.shape)}; one resource is allowed"
    )
    handle = services.resources.handle(node.options.text("container"), node.options.text("shared_name"))
    return Prepared((out.shape,), lambda m: lambda: m.outputs[0].fill(handle))


def _variable(node: Node, services: Services, handle: Array, dtype: np.dtype[np.generic]) -> int:
    """Return the number of the variable behind a handle; a variable keeps the dtype of its first use."""
    number, resources = int(handle[0]), services.resources
    if not 0 <= number < len(resources.values):
        raise node.invalid(f"{number} is the handle of no variable")
    known = resources.dtypes[number] = resources.dtypes[number] or dtype
    if known != dtype:
        raise node.invalid(f"the variable is used as {known} and as {dtype}; one dtype is allowed")
    return number


def prepare_read(node: Node, services: Services) -> Prepared:
    """Prepare READ_VARIABLE: copy the value; a variable that was never assigned reads as zeros."""
    check_handle(node)
    out = node.output()

    def build(m: Memory) -> Step:
        def run() -> None:
            value = services.resources.values[_variable(node, services, m.inputs[0], out.dtype)]
            if value is None:
                m.outputs[0].fill(0)
                return
            if value.shape != out.shape:
                raise node.invalid(f"the variable holds {list(value.shape)} and {list(out.shape)} is read")
            np.copyto(m.outputs[0], value.ravel())

        return run

    return Prepared((out.shape,), build)


def prepare_assign(node: Node, services: Services) -> Prepared:
    """Prepare ASSIGN_VARIABLE: copy the value into the variable, which gets its memory with the first one."""
    check_handle(node)
    x = node.input(1)
    node.require(not node.outputs, f"{len(node.outputs)} outputs; none are allowed")

    def build(m: Memory) -> Step:
        def run() -> None:
            number = _variable(node, services, m.inputs[0], x.dtype)
            value = services.resources.values[number]
            if value is None or value.shape != x.shape:
                value = services.resources.values[number] = np.empty(x.shape, x.dtype)
            np.copyto(value, m.inputs[1].reshape(x.shape))

        return run

    return Prepared((), build)


VARIABLE_OPS: Mapping[str, PrepareWith] = {
    "ASSIGN_VARIABLE": prepare_assign,
    "READ_VARIABLE": prepare_read,
    "VAR_HANDLE": prepare_var_handle,
}
