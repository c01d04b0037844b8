"""What the image of a model will cost is predicted without linking it; the proof is the image that is linked."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from opconform.harness import budgets_model
from opconform.harness.budgets_model import ImageSize, ModelCost
from opconform.harness.cli import size
from opconform.harness.flatmodel import Graph, Node, TensorDef, write_model
from opconform.harness.model import Quant
from opconform.harness.runtime import InvalidModel
from opconform.targets import library, modelimage
from opconform.targets.boards import load_target, target_names
from opconform.targets.cache import cache_root
from opconform.targets.modelimage import NotRun, Ran

ROOT = Path(__file__).parents[2]
BOARDS = target_names() if os.environ.get("OPCONFORM_BOARDS") == "all" else ("cortex-m0", "cortex-m4")
BOARD = "cortex-m3"
SINE = library.micro_folder() / "examples" / "hello_world" / "sine.tflite"

pytestmark = pytest.mark.skipif(
    any(shutil.which(name) is None for name in ("arm-none-eabi-gcc", "qemu-system-arm")), reason="no toolchain"
)


def digits(name: str) -> bytes:
    from importlib.resources import files

    return (files("opconform") / "specs" / "models" / f"digits_{name}.tflite").read_bytes()


def sum_model(shape: tuple[int, ...] = (1, 4)) -> bytes:
    tensors = tuple(TensorDef(name, "float32", shape) for name in "abc")
    return write_model([Graph(tensors, (Node("ADD", (0, 1), (2,)),), (0, 1), (2,))])


def heavy(weights: int) -> bytes:
    """A dense layer whose constants are larger than what it computes with."""
    q = Quant((0.5,), (0,))
    tensors = (
        TensorDef("x", "int8", (1, weights), quant=q),
        TensorDef("w", "int8", (8, weights), np.ones((8, weights), np.int8), q),
        TensorDef("y", "int8", (1, 8), quant=q),
    )
    return write_model([Graph(tensors, (Node("FULLY_CONNECTED", (0, 1), (2,)),), (0,), (2,))])


MODELS = {
    "sine": SINE.read_bytes(),
    "digits_int8": digits("int8"),
    "digits_conv_float32": digits("conv_float32"),
    "add": sum_model(),
    "heavy": heavy(4000),
}


@pytest.mark.parametrize("board", BOARDS)
@pytest.mark.parametrize("name", MODELS)
def test_every_figure_of_the_linked_image_is_predicted(name: str, board: str) -> None:
    predicted, linked = (step(MODELS[name], board) for step in (budgets_model.predict, budgets_model.measure))
    assert predicted.size.kernels == linked.size.kernels
    assert max(map(abs, budgets_model.errors(predicted, linked).values())) <= budgets_model.TOLERANCE / 2
    assert predicted.ran == linked.ran
    assert linked.figures["core"] == predicted.figures["core"]
    assert linked.figures["model"] == len(MODELS[name])
    assert all(value > 0 for key, value in linked.figures.items() if key != "lib")


def test_a_prediction_does_not_link_the_image_of_the_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    budgets_model.predict(MODELS["sine"], BOARD)
    images = cache_root() / "images"
    before = {path.name for path in images.iterdir() if path.name.startswith(BOARD)}
    budgets_model.predict(sum_model((1, 77)), BOARD)
    assert {path.name for path in images.iterdir() if path.name.startswith(BOARD)} == before


def test_a_larger_tensor_costs_arena_and_not_flash() -> None:
    small, large = (budgets_model.predict(sum_model((1, n)), BOARD) for n in (4, 404))
    more = large.figures["arena"] - small.figures["arena"]
    assert 0 <= 2 * 4 * 400 - more < 64  # the sum lies on top of an input; planning the small one takes some bytes too
    assert large.size.flash == small.size.flash
    assert large.figures["ram"] - small.figures["ram"] == large.figures["arena"] - small.figures["arena"]


def test_an_image_of_a_model_holds_its_kernels_only_and_stays_small() -> None:
    image = budgets_model.build_image(sum_model(), BOARD)
    assert image.kernels == ("add_float32",)
    assert image.model == len(sum_model())
    assert image.flash <= 12 * 1024
    assert image.platform < 1024
    gaps = image.flash - image.core - image.platform - image.kernel_bytes - image.lib
    assert 0 <= gaps < 100


def test_an_image_of_a_broken_model_is_refused_in_one_line() -> None:
    for step in (budgets_model.build_image, budgets_model.predict):
        with pytest.raises(InvalidModel) as caught:
            step(b"TFL3 but not really", BOARD)
        assert "\n" not in str(caught.value)


def test_a_model_that_no_board_could_load_is_refused_with_both_numbers() -> None:
    board = replace(load_target(BOARD), model_bytes=2000)
    with pytest.raises(NotRun, match=r"cortex-m3: the model has \d+ bytes, 2000 are allowed"):
        modelimage.run(board, modelimage.build_with_buffer(board), MODELS["heavy"])


def test_an_arena_that_is_too_small_is_told_by_status() -> None:
    board = replace(load_target(BOARD), arena_bytes=64)
    with pytest.raises(NotRun, match="cortex-m3: the model did not run: the firmware answered status 4"):
        modelimage.run(board, modelimage.build_with_buffer(board), MODELS["sine"])


def test_the_smallest_board_is_measured_on_a_larger_one_with_its_own_code() -> None:
    small, large = load_target("cortex-m0"), modelimage.roomy(load_target("cortex-m0"))
    assert (large.flags, large.optimize, large.libc) == (small.flags, small.optimize, small.libc)
    assert large.ram.bytes > small.ram.bytes
    assert modelimage.roomy(load_target("cortex-m4")) == load_target("cortex-m4")


def cost(flash: int = 10000, data: int = 100) -> ModelCost:
    image = ImageSize("cortex-m0", ("add_float32",), flash, 6000, 500, 3000, 400, 1000, data)
    return ModelCost(image, Ran(600, 500, 400, 9000))


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(budgets_model, "predict", lambda model, target: cost())
    monkeypatch.setattr(budgets_model, "measure", lambda model, target: cost(11000))
    return SINE


def test_a_prediction_that_is_far_off_fails_the_command(fake: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert size.command(fake, ["cortex-m0"], link=True) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[2].split() == ["flash", "10000", "11000", "-9.1%"]
    assert [line.split() for line in lines if line.startswith("ram")] == [["ram", "1200", "1200", "0.0%"]]
    assert lines[-1] == "cortex-m0: flash is predicted -9.1 % off the linked image"


def test_a_model_that_does_not_fit_its_board_fails_the_command(
    fake: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert size.command(fake, ["cortex-m0"]) == 0
    monkeypatch.setattr(budgets_model, "predict", lambda model, target: cost(data=16000))
    capsys.readouterr()
    assert size.command(fake, ["cortex-m0"], as_json=True) == 1
    out, err = capsys.readouterr()
    assert err == "cortex-m0: the image needs 17100 bytes of RAM, the board has 16384\n"
    found = json.loads(out)
    assert (found["ram"], found["stack"], found["ops"], found["kernels"]) == (17100, 500, ["ADD"], ["add_float32"])


def test_options_of_the_other_form_are_refused(fake: Path) -> None:
    with pytest.raises(Exception, match="--link is for the image of a model; give MODEL"):
        size.command(None, ["cortex-m0"], link=True)
    with pytest.raises(Exception, match="--update and --op speak of all kernels; leave out MODEL"):
        size.command(fake, ["cortex-m0"], update=True)
