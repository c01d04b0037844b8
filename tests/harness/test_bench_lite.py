"""The figures of lite: what is compared is one model with one result, and what dies or cannot run is said."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from opconform.harness import bench, bench_lite
from opconform.harness.bench_layers import Layer, layer_model, layers
from opconform.harness.bench_networks import NETWORKS, Network
from opconform.harness.flatread import read_model
from opconform.harness.runtime import Unsupported


def test_there_are_layers_of_every_op_that_figures_are_promised_for() -> None:
    found = {(layer.op, layer.dtype) for layer in layers()}
    dots = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")
    assert found >= {(op, dtype) for op in dots for dtype in ("float32", "int8")}
    assert found >= {(op, "float32") for op in ("SOFTMAX", "MEAN", "ADD", "TANH", "EXP")}
    assert len(list(layers())) >= 20


@pytest.mark.parametrize(
    "layer", [Layer("CONV_2D", "int8", (1, 5, 5, 3), (5, 3, 3, 3), 2), Layer("EXP", "float32", (7,))]
)
def test_both_runtimes_run_a_layer_to_the_same_result(layer: Layer) -> None:
    model, inputs = layer_model(layer)
    timed = bench_lite.compare(model, inputs, 0.0)
    assert timed.one > 0
    assert timed.ratio == timed.other / timed.one
    assert timed.difference <= 1


def test_a_small_network_of_all_its_parts_runs() -> None:
    for dtype in ("float32", "int8"):
        net = Network(dtype)
        x = net.conv(net.tensor((1, 8, 8, 3)), 16, 3, 2)
        net.classify(net.add(x, net.conv(x, 0, 3), "RELU"))
        timed = bench_lite.compare(net.written(), [np.ones((1, 8, 8, 3), dtype)], 0.0)
        assert timed.difference <= (1e-6 if dtype == "float32" else 2)


def test_networks_are_read_as_what_they_are_called() -> None:
    view = read_model(NETWORKS["mobilenet_v1_96_0.25 int8"](), "v1")
    ops = [operation.op for operation in view.operations]
    assert ops.count("DEPTHWISE_CONV_2D") == 13
    assert ops.count("CONV_2D") == 14


def _dies(*_: object) -> None:
    os._exit(3)


def _refuses(*_: object) -> None:
    raise Unsupported("not this op")


def test_a_model_that_kills_a_runtime_is_a_figure_without_a_value() -> None:
    row = bench_lite._isolated("bad", _dies)  # type: ignore[arg-type]
    assert row.value is None
    assert "died" in row.note


def test_a_model_that_one_runtime_refuses_is_a_figure_without_a_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench_lite, "compare", _refuses)
    rows = list(bench_lite.layer_rows(lambda layer: layer.op == "TANH"))
    assert rows
    assert all((row.value, row.note) == (None, "not this op") for row in rows)


def test_given_models_take_the_place_of_the_built_in_ones(tmp_path: Path) -> None:
    model = bench.models_folder() / "digits_int8.tflite"
    bad = tmp_path / "bad.tflite"
    bad.write_bytes(b"no model at all")
    rows = list(bench_lite.network_rows([model, bad], [], False, 0.0))
    assert [row.name for row in rows] == ["digits_int8", "bad"]
    assert rows[0].value is not None
    assert rows[1].value is None
    assert "is no .tflite file" in rows[1].note


def test_machine_code_is_counted_without_the_header_of_the_cache() -> None:
    from opconform.runtimes.lite import jit
    from opconform.runtimes.lite.kernels.unary import abs_plain

    code = jit.object_code(abs_plain, ("<f4", "<f4", "<i8"))
    assert 0 < bench_lite.text_size(b"header\n" + code) < len(code)
