"""Constants are read where they lie: models whose weights are larger than all memory that could be written."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from opconform.harness.flatmodel import Graph, Node, TensorDef, write_model
from opconform.harness.isolate import Isolated
from opconform.harness.model import Produced, Quant
from opconform.targets import build, launcher, library
from opconform.targets.boards import load_target

STEMS = ("conv_2d_int8", "fully_connected_int8", "fully_connected_float32")
ARENA_BYTES = 12288
ONE = Quant((1.0,), (0,))


def dense(dtype: str) -> bytes:
    """64 numbers to 512, all weights 1: 32 KiB of int8 or 128 KiB of float32."""
    quant, out = (ONE, Quant((64.0,), (0,))) if dtype == "int8" else (None, None)
    tensors = (
        TensorDef("x", dtype, (1, 64), quant=quant),
        TensorDef("w", dtype, (512, 64), np.ones((512, 64), dtype), quant),
        TensorDef("y", dtype, (1, 512), quant=out),
    )
    return write_model([Graph(tensors, (Node("FULLY_CONNECTED", (0, 1), (2,)),), (0,), (2,))])


def convolution() -> bytes:
    """A window of 3 x 3 over 64 channels gives 64: 36 KiB of weights."""
    tensors = (
        TensorDef("x", "int8", (1, 3, 3, 64), quant=ONE),
        TensorDef("w", "int8", (64, 3, 3, 64), np.ones((64, 3, 3, 64), np.int8), Quant((1.0,) * 64, (0,) * 64)),
        TensorDef("b", "int32", (64,), np.zeros(64, np.int32), Quant((1.0,) * 64, (0,) * 64)),
        TensorDef("y", "int8", (1, 1, 1, 64), quant=Quant((576.0,), (0,))),
    )
    options = {"padding": "VALID", "stride_w": 1, "stride_h": 1}
    return write_model([Graph(tensors, (Node("CONV_2D", (0, 1, 2), (3,), options, 3),), (0,), (3,))])


CASES = {
    "fully_connected_int8": (dense("int8"), np.ones((1, 64), np.int8), 1, 64 * 512),
    "fully_connected_float32": (dense("float32"), np.ones((1, 64), np.float32), 64, 4 * 64 * 512),
    "conv_2d_int8": (convolution(), np.ones((1, 3, 3, 64), np.int8), 1, 64 * 9 * 64),
}


@pytest.mark.parametrize("core", ["cortex-m4", "cortex-m55"])
def test_weights_larger_than_the_arena_are_read_from_the_model(core: str) -> None:
    target = replace(load_target(core), arena_bytes=ARENA_BYTES, model_bytes=1 << 18)
    kernels = library.kernel_sources(STEMS)
    sources = (*build.platform_sources(target), *build.core_sources(), *kernels, library.registry_source(STEMS))
    image = build.link_image(target, build.compile_objects(target, sources))
    executor = Isolated(launcher.Board(core, launcher.Options(image=image)))
    for name, (model, vector, want, weights) in CASES.items():
        outcome = executor.execute(model, [[vector]])
        assert isinstance(outcome, Produced), (name, outcome)
        assert set(outcome.outputs[0][0].ravel().tolist()) == {want}
        assert weights > 2 * (outcome.meters["arena"] + outcome.meters["stack"])
        assert outcome.meters["model-loads"] * 16 >= weights  # no load of these cores takes more than 16 bytes
    executor.close()
