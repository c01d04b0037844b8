"""Mutated models under sanitizers; the fuzzer ends by a signal or a sanitizer's report when one misbehaves."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest

from opconform.harness.flatmodel import Graph, Node, TensorDef, write_model
from opconform.harness.model import Quant
from opconform.runtimes.micro import build

COUNT = 3000


def quantized() -> bytes:
    q, w = Quant((0.5,), (3,)), Quant((0.25, 0.5, 1.0, 2.0), (0,) * 4)
    tensors = (
        TensorDef("x", "int8", (2, 8), quant=q),
        TensorDef("w", "int8", (4, 8), np.arange(32, dtype=np.int8).reshape(4, 8), w),
        TensorDef("b", "int32", (4,), np.arange(4, dtype=np.int32)),
        TensorDef("h", "int8", (2, 4), quant=q),
        TensorDef("shape", "int32", (1,), np.array([8], np.int32)),
        TensorDef("r", "int8", (8,), quant=q),
        TensorDef("y", "int8", (8,), quant=Quant((1.0,), (0,))),
    )
    nodes = (Node("FULLY_CONNECTED", (0, 1, 2), (3,)), Node("RESHAPE", (3, 4), (5,)), Node("ADD", (5, 5), (6,)))
    return write_model([Graph(tensors, nodes, (0,), (6,))])


def loop() -> bytes:
    x = TensorDef("x", "float32", ())
    one = TensorDef("one", "float32", (), np.array(1, np.float32))
    main = Graph((x, x), (Node("WHILE", (0,), (1,), {"cond": 1, "body": 2}),), (0,), (1,))
    condition = Graph((x, one, TensorDef("c", "bool", ())), (Node("LESS", (0, 1), (2,)),), (0,), (2,))
    body = Graph((x, one, x), (Node("ADD", (0, 1), (2,)),), (0,), (2,))
    return write_model([main, condition, body])


def fuzz(path: Path, seed: int, count: int) -> subprocess.CompletedProcess[str]:
    command = [str(build.build("fuzz", "host-asan")), str(path), str(seed), str(count)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("model", [quantized(), loop()], ids=["quantized", "loop"])
def test_mutated_models_do_no_harm(tmp_path: Path, model: bytes) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes(model)
    done = fuzz(path, 1, COUNT)
    assert done.returncode == 0, done.stderr[:2000]
    seen = {name: int(number) for name, number in (line.split() for line in done.stdout.splitlines())}
    assert sum(seen.values()) == COUNT
    assert seen["ok"] > COUNT // 100  # some mutants run: the verifier is not all that is tested
    assert seen["invalid-model"] > COUNT // 10
    assert fuzz(path, 1, COUNT).stdout == done.stdout


def test_the_fuzzer_says_how_it_is_used(tmp_path: Path) -> None:
    done = fuzz(tmp_path / "missing.tflite", 1, 1)
    assert done.returncode == 1
    assert done.stderr.startswith("usage: fuzz")
