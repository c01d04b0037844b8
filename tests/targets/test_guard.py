"""A kernel that leaves its tensors is caught on a board, to the byte, though it stays inside the arena.

The kernel is a real one, broken in one line; the firmware around it is the project's own.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from opconform.harness.flatmodel import Graph, Node, TensorDef, write_model
from opconform.harness.isolate import Isolated
from opconform.harness.model import Crashed, Outcome, Produced, TimedOut
from opconform.targets import build, launcher, library
from opconform.targets.boards import load_target

RISCV = "riscv64-unknown-elf-gcc"
BOARDS = (
    *("cortex-m0", "cortex-m55"),
    pytest.param("riscv32", marks=pytest.mark.skipif(not shutil.which(RISCV), reason=f"{RISCV} is not installed")),
)
STEM = "fully_connected_float32"
ENTRY = "static opc_status invoke(opc_node *node) {\n"
Run = Callable[[str, str], Outcome]


def dense() -> bytes:
    """Five numbers to three: 20 bytes in, 12 out, and nothing that could share its memory."""
    weights = np.ones((3, 5), np.float32)
    tensors = (
        TensorDef("x", "float32", (1, 5)),
        TensorDef("w", "float32", (3, 5), weights),
        TensorDef("y", "float32", (1, 3)),
    )
    return write_model([Graph(tensors, (Node("FULLY_CONNECTED", (0, 1), (2,)),), (0,), (2,))])


def start(name: str, line: str, place: Path) -> Isolated:
    """Return a board whose kernel runs one line more, with the tensors x and y at hand."""
    text = (library.micro_folder() / "src" / "ops" / f"{STEM}.c").read_text()
    assert text.count(ENTRY) == 1
    views = "opc_tensor X, Y; (void)opc_input(node, 0, &X); (void)opc_output(node, 0, &Y);"
    bytes_of = "volatile int8_t *x = X.data, *y = Y.data; (void)x; (void)y;"
    source = place / f"{STEM}.c"
    source.write_text(text.replace(ENTRY, f"{ENTRY}{{ {views} {bytes_of} {line} }}\n"))
    target = load_target(name)
    sources = (*build.platform_sources(target), *build.core_sources(), source, library.registry_source([STEM]))
    image = build.link_image(target, build.compile_objects(target, sources))
    return Isolated(launcher.Board(name, launcher.Options(budget=0.2, image=image)))


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    """Return what runs the model on a board with one line more in its kernel."""
    started: list[Isolated] = []

    def once(name: str, line: str) -> Outcome:
        started.append(start(name, line, tmp_path))
        return started[-1].execute(dense(), [[np.ones((1, 5), np.float32)]])

    yield once
    for executor in started:
        executor.close()


@pytest.mark.parametrize("name", BOARDS)
def test_the_first_and_last_bytes_of_its_tensors_are_the_kernels(run: Run, name: str) -> None:
    outcome = run(name, "x[0]; x[19]; y[0] = 0; y[11] = 0;")
    assert isinstance(outcome, Produced), outcome
    np.testing.assert_array_equal(outcome.outputs[0][0], np.full((1, 3), 5.0, np.float32))


@pytest.mark.parametrize("name", BOARDS)
@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("y[12] = 0;", "out-of-bounds store of 1 byte"),
        ("*(volatile int32_t *)(void *)(y + 12) = 0;", "out-of-bounds store of 4 bytes"),
        ("x[20];", "out-of-bounds load of 1 byte"),
    ],
)
def test_one_access_behind_a_tensor_is_reported_with_function_and_pc(
    run: Run, name: str, line: str, words: str
) -> None:
    outcome = run(name, line)
    assert isinstance(outcome, Crashed), outcome
    behind = words.rpartition(" of ")[2]
    assert words in outcome.detail
    assert f"(in the arena, {behind} past the end of a tensor)" in outcome.detail
    assert f"({STEM}.c:invoke)" in outcome.detail
    assert "pc 0x" in outcome.detail


@pytest.mark.parametrize("name", BOARDS)
def test_a_store_to_an_input_is_reported(run: Run, name: str) -> None:
    outcome = run(name, "x[0] = 0;")
    assert isinstance(outcome, Crashed), outcome
    assert "out-of-bounds store of 1 byte" in outcome.detail


@pytest.mark.parametrize("name", BOARDS)
def test_a_real_kernel_that_loops_for_ever_is_timed_out_and_the_next_one_is_answered(run: Run, name: str) -> None:
    assert isinstance(run(name, "while (x[0] == x[0]) { }"), TimedOut)
    assert isinstance(run(name, ""), Produced)


def test_what_one_model_may_touch_says_nothing_of_the_next(tmp_path: Path) -> None:
    """After a model that a board cannot hold, and after another one, the bounds are those of the model at hand."""
    executor = start("cortex-m0", "", tmp_path)
    vector = [np.ones((1, 5), np.float32)]
    assert isinstance(executor.execute(dense(), [vector]), Produced)
    assert not isinstance(executor.execute(dense()[:90], [vector]), Produced)
    assert isinstance(executor.execute(dense(), [vector, vector]), Produced)
    executor.close()
