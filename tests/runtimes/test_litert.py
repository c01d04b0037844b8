"""The adapter of LiteRT: its three resolvers, its refusals, its state."""

from collections.abc import Sequence

import numpy as np
import pytest

from opconform.harness import registry
from opconform.harness.flatmodel import Graph, Node, TensorDef, write_model
from opconform.harness.model import Quant
from opconform.harness.runtime import InvalidModel, Unsupported
from opconform.runtimes.litert import RESOLVERS, LiteRT


def model(op: str, dtypes: Sequence[str], shapes: Sequence[tuple[int, ...]], quant: Quant | None = None) -> bytes:
    """Return a model of one op; the last dtype and shape are the output's."""
    tensors = tuple(
        TensorDef(f"t{index}", dtype, shape, quant=quant)
        for index, (dtype, shape) in enumerate(zip(dtypes, shapes, strict=True))
    )
    slots, out = tuple(range(len(tensors) - 1)), len(tensors) - 1
    return write_model([Graph(tensors, (Node(op, slots, (out,)),), slots, (out,))])


@pytest.mark.parametrize("variant", ["", *RESOLVERS])
def test_every_resolver_adds(variant: str) -> None:
    session = LiteRT(variant).open(model("ADD", ["float32"] * 3, [(2, 3), (3,), (2, 3)]))
    a, b = np.ones((2, 3), np.float32), np.array([1, 2, 3], np.float32)
    assert np.array_equal(session.run([a, b])[0], [[2, 3, 4], [2, 3, 4]])
    session.close()


def test_only_the_default_resolver_delegates_to_xnnpack() -> None:
    delegated = {}
    for variant in RESOLVERS:
        session = LiteRT(variant).open(model("ADD", ["float32"] * 3, [(2, 3)] * 3))
        details = session._interpreter._get_ops_details()
        delegated[variant] = any(detail["op_name"] == "DELEGATE" for detail in details)
    assert delegated == {"ref": False, "builtin": False, "xnnpack": True}


def test_data_dependent_shapes_come_out_as_they_are() -> None:
    session = LiteRT().open(model("WHERE", ["bool", "int64"], [(2, 3), (6, 2)]))
    first = session.run([np.array([[True, False, False], [False, False, True]])])[0]
    second = session.run([np.zeros((2, 3), np.bool_)])[0]
    assert np.array_equal(first, [[0, 0], [1, 2]])
    assert second.shape == (0, 2)


def test_outputs_are_copies_that_later_runs_leave_alone() -> None:
    session = LiteRT().open(model("ABS", ["float32"] * 2, [(3,)] * 2))
    first = session.run([np.array([-1, -2, -3], np.float32)])[0]
    session.run([np.zeros(3, np.float32)])
    assert np.array_equal(first, [1, 2, 3])


def test_a_dtype_that_a_kernel_lacks_is_unsupported() -> None:
    with pytest.raises(Unsupported, match=r"[Uu]nsupported|not supported"):
        LiteRT().open(model("ADD", ["float64"] * 3, [(2,)] * 3)).run([np.zeros(2), np.zeros(2)])


def test_a_model_that_breaks_the_rules_is_invalid() -> None:
    with pytest.raises(InvalidModel, match=r"FLOAT32 != INT32|INT32 != FLOAT32"):
        LiteRT().open(model("ADD", ["float32", "int32", "float32"], [(2,)] * 3))


@pytest.mark.parametrize("data", [b"", b"TFL3", bytes(1000)])
def test_bytes_that_are_no_model_are_invalid(data: bytes) -> None:
    with pytest.raises(InvalidModel):
        LiteRT().open(data)


@pytest.mark.parametrize(
    "inputs", [[], [np.zeros(3, np.float32)], [np.zeros(2, np.int8)], [np.zeros(2, np.float32)] * 2]
)
def test_wrong_inputs_are_invalid(inputs: list[np.ndarray]) -> None:  # type: ignore[type-arg]
    session = LiteRT().open(model("ABS", ["float32"] * 2, [(2,)] * 2))
    with pytest.raises(InvalidModel):
        session.run(inputs)


def test_the_manifest_names_the_variants_that_exist() -> None:
    handle = registry.resolve("litert")
    assert handle.manifest.variants == tuple(RESOLVERS) == LiteRT().describe().variants
    assert handle.at == "ref"
