"""TensorFlow.js in Node and in Chromium: the adapter's smoke test, refusals, and that a wrong kernel is found.

What this needs is missing on most machines; then it is skipped, unless OPCONFORM_REQUIRE_NODE is set (tox -e tfjs).
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from opconform.harness.flatmodel import Graph, Node, TensorDef, write_model
from opconform.harness.isolate import Executor, connect
from opconform.harness.model import Declined, Produced, Rejected
from opconform.harness.registry import resolve
from opconform.harness.runtime import Unavailable
from opconform.harness.smoke import smoke
from opconform.runtimes.tfjs import Tfjs
from opconform.runtimes.tfjs.engine import engine
from opconform.targets.javascript.transport import Pages
from opconform.targets.javascript.workers import node_command

TARGETS = ("node-cpu", "node-wasm", "chromium-wasm")
SPECIALS = np.array([0.0, -0.0, np.inf, -np.inf, 1e-45, 3e38], np.float32)

#: The kernel of ADD adds one too many to the sixth element of its result.
DEFECTIVE = """\
import {{start as begin}} from "{engine}";
export async function start(host, label, variant) {{
  const session = await begin(host, label, variant);
  const {{kernelFunc, ...add}} = session.tf.getKernel("Add", "cpu");
  session.tf.unregisterKernel("Add", "cpu");
  session.tf.registerKernel({{...add, kernelFunc: (given) => {{
    const sum = kernelFunc(given);
    const values = given.backend.data.get(sum.dataId).values;
    if (values.length > 5) values[5] += 1;
    return sum;
  }}}});
  return session;
}}
"""


def model(op: str, *tensors: TensorDef) -> bytes:
    """Return a model of one op; the last tensor is its output."""
    slots, out = tuple(range(len(tensors) - 1)), len(tensors) - 1
    return write_model([Graph(tensors, (Node(op, slots, (out,)),), slots, (out,))])


def floats(*shape: int) -> TensorDef:
    return TensorDef("t", "float32", shape)


@pytest.fixture(scope="module", params=TARGETS)
def target(request: pytest.FixtureRequest) -> str:
    """Name each target that can run here."""
    found: str = request.param
    try:
        if Tfjs(found).transport(found) is None:
            Tfjs(found).command(found)
    except Unavailable as error:
        if os.environ.get("OPCONFORM_REQUIRE_NODE"):
            pytest.fail(str(error))
        pytest.skip(str(error))
    return found


@pytest.fixture(scope="module")
def executor(target: str) -> Iterator[Executor]:
    opened = connect(resolve(f"tfjs@{target}"))
    yield opened
    opened.close()


def test_every_target_passes_the_smoke_test_of_an_adapter(target: str) -> None:
    checks = smoke(resolve(f"tfjs@{target}"))
    assert len(checks) > 8
    assert [check for check in checks if not check.passed] == []


def test_numbers_pass_bit_for_bit(executor: Executor) -> None:
    outcome = executor.execute(model("ABS", floats(6), floats(6)), [[SPECIALS]])
    assert isinstance(outcome, Produced)
    assert outcome.outputs[0][0].tobytes() == np.abs(SPECIALS).tobytes()


def test_types_that_tensorflow_js_has_not_are_declined_for_that(executor: Executor) -> None:
    bytes_of_8 = TensorDef("t", "int8", (2,))
    outcome = executor.execute(model("ABS", bytes_of_8, bytes_of_8), [[np.zeros(2, np.int8)]])
    assert isinstance(outcome, Declined)
    assert "int8" in outcome.why or "dtype code 9" in outcome.why


@pytest.mark.parametrize("declared", [(3,), (1, 1), ()])
def test_an_output_of_another_shape_than_follows_is_rejected(executor: Executor, declared: tuple[int, ...]) -> None:
    vector = [np.ones((2, 3), np.float32), np.ones(3, np.float32)]
    outcome = executor.execute(model("ADD", floats(2, 3), floats(3), floats(*declared)), [vector])
    assert isinstance(outcome, Rejected)
    assert "TensorFlow.js computes [2,3]" in outcome.why


def test_ones_stand_for_sizes_that_depend_on_data_and_for_what_is_computed_from_them(executor: Executor) -> None:
    tensors = (floats(4), floats(1), TensorDef("places", "int32", (4,)), floats(1))
    nodes = (Node("UNIQUE", (0,), (1, 2)), Node("NEG", (1,), (3,)))
    outcome = executor.execute(write_model([Graph(tensors, nodes, (0,), (3,))]), [[np.array([5, 7, 5, 7], np.float32)]])
    assert isinstance(outcome, Produced)
    assert outcome.outputs[0][0].tolist() == [-5, -7]


@pytest.mark.parametrize("target", ["node-cpu"], indirect=True)
def test_a_defective_kernel_is_found(target: str, tmp_path: Path) -> None:
    right = engine()
    module = tmp_path / "defective.mjs"
    module.write_text(DEFECTIVE.format(engine=right.module.resolve()))
    command = node_command(right, "defective@node", "cpu")
    command[2] = str(module)
    run = [sys.executable, "-m", "opconform", "run", "--op", "ADD", "--row", "float32", "--log", str(tmp_path / "log")]
    ended = subprocess.run([*run, "--runtime", f"exec:{shlex.join(command)}"], capture_output=True, text=True)
    assert ended.returncode == 1
    assert "wrong-value" in ended.stdout
    assert ", 0 unexpected" not in ended.stdout


def test_the_bare_name_means_node_and_pages_are_for_chromium_alone(target: str) -> None:
    assert resolve("tfjs").label == "tfjs@node-cpu"
    assert isinstance(Tfjs(target).transport(target), Pages) == target.startswith("chromium")


def test_a_run_without_the_packages_says_how_to_get_them(tmp_path: Path) -> None:
    run = [sys.executable, "-m", "opconform", "run", "--op", "ABS", "--row", "float32", "--runtime", "tfjs"]
    empty = os.environ | {"OPCONFORM_CACHE": str(tmp_path)}
    ended = subprocess.run(run, capture_output=True, text=True, env=empty, cwd=tmp_path)
    assert ended.returncode == 3
    assert "tfjs@node-cpu cannot run here: tfjs: its npm packages are not installed; run: tox -e tfjs" in ended.stdout
    assert "Traceback" not in ended.stdout + ended.stderr
