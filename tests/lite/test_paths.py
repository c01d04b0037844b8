"""Vector code on every path: integers agree bit for bit, remainders of all widths are right.

The path that this processor takes by itself is proven by conformance, so functions are tried on the others only.
"""

from __future__ import annotations

import numpy as np
import pytest

from opconform.harness.flatmodel import TensorDef, one_op
from opconform.harness.model import Array, Quant
from opconform.runtimes.lite import Lite, cpu

NAMES = [path.name for path in cpu.PATHS]
OPTIONS = {"padding": "SAME", "stride_w": 1, "dilation_h": 1, "dilation_w": 1, "activation": "NONE"}


def take(name: str, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv(cpu.PATH_VARIABLE, name)
    if cpu.vectors().name != name:
        pytest.skip(f"this processor has no {name}")
    return name


@pytest.fixture(params=[name for name in NAMES if name != "plain"])
def path(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    return take(request.param, monkeypatch)


@pytest.fixture(params=["avx2", "portable"])
def narrow(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    return take(request.param, monkeypatch)


def plain(model: bytes, *inputs: Array) -> Array:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(cpu.PATH_VARIABLE, "plain")
        return run(model, *inputs)


def run(model: bytes, *inputs: Array) -> Array:
    return np.asarray(Lite().open(model).run(inputs)[0])


def layer(op: str, dtype: str, depth: int, outputs: int, seed: int) -> tuple[bytes, Array]:
    """Return a layer with hostile scales: rescales from 2**-20 to 2**4, biases of the whole of int32."""
    random = np.random.default_rng(seed)
    x: tuple[int, ...] = (2, 5, 7, depth)
    w: tuple[int, ...] = {
        "CONV_2D": (outputs, 3, 2, depth),
        "DEPTHWISE_CONV_2D": (1, 3, 2, depth),
        "FULLY_CONNECTED": (outputs, depth),
    }[op]
    axis = 3 if op == "DEPTHWISE_CONV_2D" else 0
    y = (*x[:3], w[axis])
    if op == "FULLY_CONNECTED":
        x = (random.integers(1, 80).item(), depth)
        y = (x[0], outputs)
    options = {**OPTIONS, "stride_h": 1} if op != "FULLY_CONNECTED" else {"keep_num_dims": False}
    if op == "DEPTHWISE_CONV_2D":
        options["depth_multiplier"] = 1
    if dtype == "float32":
        constants = [
            TensorDef("w", dtype, w, random.standard_normal(w)),
            TensorDef("b", dtype, w[axis : axis + 1], random.random(w[axis])),
        ]
        values = random.standard_normal(x).astype(np.float32)
        return one_op(op, [TensorDef("x", dtype, x), *constants], [TensorDef("y", dtype, y)], options), values
    scales = tuple(float(2.0 ** random.uniform(-20, 4)) for _ in range(w[axis]))
    zeros = (0,) * w[axis]
    constants = [
        TensorDef("w", "int8", w, random.integers(-128, 128, w), Quant(scales, zeros, axis)),
        TensorDef("b", "int32", w[axis : axis + 1], random.integers(-(2**31), 2**31, w[axis]), Quant(scales, zeros, 0)),
    ]
    tensors = [TensorDef("x", "int8", x, quant=Quant((1.0,), (-7,))), *constants]
    model = one_op(op, tensors, [TensorDef("y", "int8", y, quant=Quant((1.0,), (9,)))], options)
    return model, random.integers(-128, 128, x).astype(np.int8)


LAYERS = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")
EXTENTS = ((1, 1), (3, 5), (4, 16), (8, 17), (17, 33), (37, 70))


@pytest.mark.parametrize("op", LAYERS)
def test_int8_layers_agree_with_plain_code_bit_for_bit(path: str, op: str) -> None:
    for seed, (depth, outputs) in enumerate(EXTENTS):
        model, x = layer(op, "int8", depth, outputs, seed)
        assert np.array_equal(run(model, x), plain(model, x)), (depth, outputs)


@pytest.mark.parametrize("op", ["CONV_2D", "FULLY_CONNECTED"])
def test_int8_layers_that_fill_tile_registers_agree_with_plain_code(path: str, op: str) -> None:
    # runs of whole rows and of parts of them, few and many outputs, pixels that are no multiple of a square
    for seed, (depth, outputs) in enumerate(((32, 16), (64, 33), (100, 64), (128, 97))):
        model, x = layer(op, "int8", depth, outputs, seed)
        assert np.array_equal(run(model, x), plain(model, x)), (depth, outputs)


@pytest.mark.parametrize("op", LAYERS)
def test_float_layers_agree_with_plain_code_but_for_the_order_of_sums(narrow: str, op: str) -> None:
    for seed, (depth, outputs) in enumerate(EXTENTS):
        model, x = layer(op, "float32", depth, outputs, seed)
        np.testing.assert_allclose(run(model, x), plain(model, x), rtol=1e-4, atol=1e-4)


def test_int8_sums_agree_with_plain_code_bit_for_bit(narrow: str) -> None:
    random = np.random.default_rng(3)
    for a, b in (((3, 37), (37,)), ((2, 3, 5), (2, 1, 5)), ((4, 1), (4, 19)), ((), ())):
        tensors = [
            TensorDef("a", "int8", a, quant=Quant((0.3,), (5,))),
            TensorDef("b", "int8", b, quant=Quant((0.02,), (-128,))),
        ]
        shape = tuple(np.broadcast_shapes(a, b))
        model = one_op("ADD", tensors, [TensorDef("y", "int8", shape, quant=Quant((0.2,), (-3,)))])
        values = [random.integers(-128, 128, extents).astype(np.int8) for extents in (a, b)]
        assert np.array_equal(run(model, *values), plain(model, *values))


@pytest.mark.parametrize("count", [1, 3, 4, 15, 16, 17, 31, 33, 129])
def test_functions_end_where_their_output_ends(narrow: str, count: int) -> None:
    x = np.linspace(-9, 9, count, dtype=np.float32)[None]
    for op, function in (("EXP", np.exp), ("TANH", np.tanh)):
        model = one_op(op, [TensorDef("x", "float32", x.shape)], [TensorDef("y", "float32", x.shape)])
        np.testing.assert_allclose(run(model, x), function(x.astype(np.float64)), rtol=4e-7)
    model = one_op("SOFTMAX", [TensorDef("x", "float32", x.shape)], [TensorDef("y", "float32", x.shape)], {"beta": 1.0})
    e = np.exp(x.astype(np.float64) - x.max())
    np.testing.assert_allclose(run(model, x), e / e.sum(), rtol=2e-6)


@pytest.mark.parametrize(("shape", "axes"), [((3, 5, 37), (1,)), ((2, 3, 70), (0, 1)), ((4, 131), (1,)), ((7,), (0,))])
def test_means_over_neighbouring_axes(narrow: str, shape: tuple[int, ...], axes: tuple[int, ...]) -> None:
    x = np.random.default_rng(1).standard_normal(shape, np.float32)
    want = x.astype(np.float64).mean(axis=axes)
    tensors = [TensorDef("x", "float32", shape), TensorDef("axes", "int32", (len(axes),), np.array(axes))]
    model = one_op("MEAN", tensors, [TensorDef("y", "float32", want.shape)], {"keep_dims": False})
    np.testing.assert_allclose(run(model, x), want, rtol=1e-5, atol=1e-6)


def test_softmax_of_rows_that_overflow_alone_is_right(narrow: str) -> None:
    x = np.array([[1000.0, 1000.0, -1000.0], [-np.inf, 0.0, 0.0]], np.float32)
    model = one_op("SOFTMAX", [TensorDef("x", "float32", x.shape)], [TensorDef("y", "float32", x.shape)], {"beta": 1.0})
    assert run(model, x).tolist() == [[0.5, 0.5, 0.0], [0.0, 0.5, 0.5]]


def test_a_path_that_the_processor_lacks_gives_way_to_the_widest_it_has(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cpu, "_widest", lambda: NAMES.index("portable"))
    monkeypatch.setenv(cpu.PATH_VARIABLE, "avx512vnni")
    assert cpu.vectors().name == "portable"
    monkeypatch.setenv(cpu.PATH_VARIABLE, "no such path")
    assert cpu.vectors().name == "portable"


def test_bounds_checks_take_plain_code(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(cpu.CHECKED_VARIABLE, "1")
    assert cpu.vectors().name == "plain"
