"""The example firmware is what somebody would copy: built by CMake alone, run here and on boards, output checked."""

from __future__ import annotations

import math
import os
import re
import runpy
import shutil
import subprocess
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from opconform.harness.bench_networks import Network
from opconform.harness.budgets_bare import foreign
from opconform.harness.budgets_elf import read_graph
from opconform.harness.flatmodel import Graph, Node, TensorDef, write_model
from opconform.harness.isolate import connect
from opconform.harness.model import Array, Produced, Quant
from opconform.harness.registry import resolve
from opconform.runtimes.micro import build
from opconform.targets import library
from opconform.targets.boards import load_target

EXAMPLES = library.micro_folder() / "examples"
SINE = EXAMPLES / "hello_world" / "sine.tflite"
TOOLCHAIN = EXAMPLES / "cmake" / "arm-none-eabi.cmake"
NEEDED = ("cmake", "ninja", "arm-none-eabi-gcc", "qemu-system-arm")
BOARDS = ("cortex-m0", "cortex-m3", "cortex-m55")
#: Of hello_world on the cortex-m3, in bytes: the image without the model; RAM with stack and arena.
FLASH, RAM = 10 * 1024, 2 * 1024
SIDE = 96

pytestmark = pytest.mark.skipif(
    any(shutil.which(name) is None for name in NEEDED), reason="a tool is missing: " + " ".join(NEEDED)
)


def cmake(example: str, place: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Configure and build an example; the lister of kernels is the harness's own, which saves its compilation."""
    lister = f"-DOPCONFORM_KERNELS={build.build('kernels')}"
    command = ["cmake", "-S", str(EXAMPLES / example), "-B", str(place), "-G", "Ninja", lister, *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        done = subprocess.run(["cmake", "--build", place], capture_output=True, text=True, check=False)
    return done


def built(example: str, place: Path, board: str = "", *options: str) -> Path:
    """Return the program of an example: for this machine, or an image for a board."""
    cross = (f"-DCMAKE_TOOLCHAIN_FILE={TOOLCHAIN}", f"-DBOARD={board}") if board else ()
    done = cmake(example, place, *cross, *options)
    assert done.returncode == 0, done.stdout + done.stderr
    return place / (f"{example}.elf" if board else example)


def output(program: Path, board: str = "", status: int = 0) -> str:
    """Run a program, on QEMU's machine of a board, and return what it writes."""
    command: Sequence[str | Path] = [program]
    if board:
        machine = ("qemu-system-arm", "-M", load_target(board).machine, "-nographic", "-monitor", "none")
        command = [*machine, "-serial", "none", "-semihosting-config", "enable=on,target=native", "-kernel", program]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == status, done.stderr
    return done.stdout + done.stderr  # QEMU writes the texts of semihosting to standard error


def sizes(program: Path) -> dict[str, int]:
    """Return the sections of an image in bytes, by name."""
    text = subprocess.run(["arm-none-eabi-size", "-A", program], capture_output=True, text=True, check=True).stdout
    return {row.split()[0]: int(row.split()[1]) for row in text.splitlines() if row.startswith(".")}


@pytest.fixture(scope="module")
def said_here(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What hello_world writes on this machine."""
    return output(built("hello_world", tmp_path_factory.mktemp("hello")))


def test_hello_world_computes_a_sine(said_here: str) -> None:
    pairs = [(float(x), float(y)) for x, y in re.findall(r"^sin\((\S+)\) = (\S+)$", said_here, re.MULTILINE)]
    assert (pairs[0][0], pairs[-1][0], len(pairs)) == (0.0, 6.283, 18)
    assert max(abs(y - math.sin(x)) for x, y in pairs) < 0.08


@pytest.mark.parametrize("board", BOARDS)
def test_hello_world_says_the_same_on_a_board(board: str, said_here: str, tmp_path: Path) -> None:
    image = built("hello_world", tmp_path, board)
    assert output(image, board) == said_here
    graph = read_graph(image, tmp_path / "hello_world.map")
    assert foreign(graph, {"main.c:arena": "", "main.c:interpreter": ""}) == ()
    assert len(foreign(graph, {})) == 2
    if board == "cortex-m3":
        found = sizes(image)
        flash = sum(found.get(name, 0) for name in (".vectors", ".text", ".rodata", ".ARM.exidx", ".data"))
        assert flash - SINE.stat().st_size <= FLASH
        assert found[".stack"] + found[".data"] + found[".bss"] <= RAM


def test_a_stack_that_is_too_small_ends_the_firmware_with_a_status(tmp_path: Path) -> None:
    copy = tmp_path / "micro"
    shutil.copytree(library.micro_folder(), copy, ignore=shutil.ignore_patterns("__pycache__"))
    lists = copy / "examples" / "hello_world" / "CMakeLists.txt"
    text = lists.read_text()
    lists.write_text(re.sub(r"add_example\(hello_world \d+", "add_example(hello_world 256", text))
    place = tmp_path / "out"
    options = (f"-DCMAKE_TOOLCHAIN_FILE={TOOLCHAIN}", f"-DOPCONFORM_KERNELS={build.build('kernels')}")
    for command in (["-S", str(lists.parent), "-B", str(place), "-G", "Ninja", *options], ["--build", str(place)]):
        subprocess.run(["cmake", *command], capture_output=True, check=True)
    assert output(place / "hello_world.elf", "cortex-m3", status=70) == ""


def answers(model: bytes, inputs: Sequence[Array]) -> list[Array]:
    """Return the output of micro on this machine for each input."""
    with closing(connect(resolve("micro@host"))) as executor:
        outcome = executor.execute(model, [[one] for one in inputs])
    assert isinstance(outcome, Produced), outcome
    return [vector[0] for vector in outcome.outputs]


def test_the_committed_sine_is_what_its_script_makes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Another linear-algebra library may round otherwise on its way, hence the tolerance."""
    fresh = tmp_path / "sine.tflite"
    main = runpy.run_path(str(EXAMPLES / "hello_world" / "sine.py"))["main"]
    assert main([str(fresh)]) == 0
    assert "largest error 0.0" in capsys.readouterr().out
    every = [np.array([[step]], np.int8) for step in range(-128, 128)]
    ours, kept = (np.array(answers(path.read_bytes(), every)).ravel() / 120 for path in (fresh, SINE))
    exact = np.sin(2 * np.pi / 255 * np.arange(256))
    assert np.abs(kept - exact).max() < 0.08
    assert np.abs(ours - exact).max() < 0.08
    assert fresh.stat().st_size == SINE.stat().st_size
    assert main([]) == 2


def person_network() -> bytes:
    """Return a MobileNet v1 of a quarter of its width on one grey image, with two classes and SOFTMAX."""
    net = Network("int8")
    x = net.conv(net.tensor((1, SIDE, SIDE, 1)), 8, 3, 2)
    for outputs, stride in ((16, 1), (32, 2), (32, 1), (64, 2), (64, 1), (128, 2), (128, 1), (256, 2), (256, 1)):
        x = net.conv(net.conv(x, 0, 3, stride), outputs)
    pool = {"padding": "VALID", "stride_h": 3, "stride_w": 3, "filter_h": 3, "filter_w": 3}
    last = net.conv(net.node("AVERAGE_POOL_2D", (x,), (1, 1, 1, 256), activation="NONE", **pool), 2, activation="NONE")
    flat = net.node("RESHAPE", (last,), (1, 2), new_shape=(1, 2))
    scores = TensorDef("scores", "int8", (1, 2), quant=Quant((1 / 256,), (-128,)))
    tensors = (*net.tensors, scores)
    nodes = (*net.nodes, Node("SOFTMAX", (flat,), (len(tensors) - 1,), {"beta": 1.0}))
    return write_model([Graph(tensors, nodes, (0,), (len(tensors) - 1,))])


def picture() -> Array:
    """Return grey pixels without a pattern, uint8 [96, 96]."""
    return np.random.Generator(np.random.Philox(9)).integers(0, 256, (SIDE, SIDE), dtype=np.uint8)


def look(model: bytes, tmp_path: Path, board: str) -> str:
    """Build person_detection with a model and the picture for this machine and a board; both must say the same."""
    (tmp_path / "model.tflite").write_bytes(model)
    (tmp_path / "picture").write_bytes(picture().tobytes())
    options = (f"-DMODEL={tmp_path / 'model.tflite'}", f"-DIMAGE={tmp_path / 'picture'}")
    here = output(built("person_detection", tmp_path / "here", "", *options))
    there = output(built("person_detection", tmp_path / board, board, *options), board)
    assert [line for line in here.splitlines() if "arena" not in line] == there.splitlines()[1:]
    return there


def check_scores(text: str, model: bytes) -> None:
    """The scores are those that the harness gets from micro, in thousandths."""
    pixels = (picture().astype(np.int16) - 128).astype(np.int8).reshape(1, SIDE, SIDE, 1)
    (scores,) = answers(model, [pixels])
    expected = [f"class {i}: {(int(v) + 128) * 1000 // 256 / 1000:.3f}" for i, v in enumerate(scores.ravel())]
    assert text.splitlines()[1:] == [*expected, f"best: {int(scores.argmax())}"]
    assert re.match(r"arena: \d+ bytes\n", text)


def test_person_detection_gives_the_scores_of_its_model_on_a_board(tmp_path: Path) -> None:
    model = person_network()
    check_scores(look(model, tmp_path, "cortex-m4"), model)


@pytest.mark.skipif("OPCONFORM_PERSON_MODEL" not in os.environ, reason="OPCONFORM_PERSON_MODEL names no model")
def test_person_detection_runs_the_public_model(tmp_path: Path) -> None:
    model = Path(os.environ["OPCONFORM_PERSON_MODEL"]).read_bytes()
    check_scores(look(model, tmp_path, "cortex-m3"), model)


def unsupported() -> bytes:
    tensors = (TensorDef("x", "float64", (2,)), TensorDef("y", "float64", (2,)))
    return write_model([Graph(tensors, (Node("ABS", (0,), (1,)),), (0,), (1,))])


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("", None, "MODEL is empty; give an int8 classifier"),
        ("none.tflite", None, "there is no file .*none.tflite; give the path of a .tflite file"),
        ("damaged.tflite", b"TFL3 nonsense", "damaged.tflite cannot be run: no TFL3 identifier"),
        ("float64.tflite", unsupported(), "float64.tflite cannot be run: node 0, builtin 101: no kernel for this type"),
    ],
)
def test_a_model_that_cannot_be_linked_in_is_named_with_the_reason(
    name: str, data: bytes | None, words: str, tmp_path: Path
) -> None:
    model = tmp_path / name if name else ""
    if data is not None:
        Path(model).write_bytes(data)
    done = cmake("person_detection", tmp_path / "out", f"-DMODEL={model}")
    assert done.returncode != 0
    assert re.search(words, " ".join(done.stderr.split())), done.stderr


def test_an_unknown_board_is_named_with_those_that_are_allowed(tmp_path: Path) -> None:
    done = cmake("hello_world", tmp_path, f"-DCMAKE_TOOLCHAIN_FILE={TOOLCHAIN}", "-DBOARD=z80")
    assert "BOARD is z80; allowed are cortex-m0, cortex-m3," in " ".join(done.stderr.split())


@pytest.mark.parametrize("board", ["cortex-m0", "cortex-m3", "cortex-m4", "cortex-m7", "cortex-m33", "cortex-m55"])
def test_the_toolchain_file_and_the_harness_agree_on_a_board(board: str) -> None:
    line = re.search(rf"^set\(BOARD_{board} +(.*)\)$", TOOLCHAIN.read_text(), re.MULTILINE)
    assert line
    machine, flash, _, ram, ram_bytes, *flags = line[1].split()
    target = load_target(board)
    assert (machine, int(flash, 0), int(ram, 0), tuple(flags)) == (
        target.machine, target.flash.origin, target.ram.origin, target.flags,
    )  # fmt: skip
    assert int(ram_bytes, 0) <= target.ram.bytes
