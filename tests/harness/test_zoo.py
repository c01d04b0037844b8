"""The digits models: who reads the digits right, and that the files are what the committed parameters give.

What must be right is derived from the float64 reference alone: an image counts as sure where the reference is right and
its margin between the two largest logits is more than rounding can explain.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from opconform.harness import zoo
from opconform.harness.cli import app
from opconform.harness.cli.common import guard
from opconform.harness.flatread import ModelView, read_model
from opconform.harness.isolate import connect
from opconform.harness.model import Array, Produced
from opconform.harness.models import held_out, load_zoo, read_entry
from opconform.harness.numerics import quantize
from opconform.harness.registry import resolve
from opconform.harness.runtime import Unavailable

pytest.importorskip("sklearn", reason="scikit-learn brings the digits: pip install 'opconform[test]'")

FOLDER = Path(__file__).parents[2] / "specs" / "models"
RUNTIMES = ("lite", "litert@ref", "tflm", "micro@host")
FILES = tuple(sorted(path.name for path in FOLDER.glob("digits*.tflite")))
#: Standard deviations of the error of a difference of logits that a sure image's margin exceeds: one in 30,000.
SIGMAS = 4
#: A hundred float32 roundings of logits below 64, and a softmax that merges what is closer.
FLOAT_SLACK = 1e-3


@cache
def digits() -> zoo.Digits:
    return zoo.load_digits()


@cache
def chain(name: str) -> tuple[zoo.Layer, ...]:
    with np.load(FOLDER / "digits.npz") as stored:
        return zoo.fill(zoo.CHAINS[name], zoo.read_parameters(name, dict(stored)))


@cache
def logits(name: str) -> Array:
    return zoo.forward(chain(name), digits().held_images)[-2]


@cache
def spread(name: str) -> Array:
    """Return the standard deviation of every int8 logit, all roundings independent and uniform over one quantum.

    A rounding to steps s has the variance s**2 / 12. A linear layer passes variances on by its squared weights and adds
    those of its own weights times the squared activations; a maximum has at most the largest variance of its window.
    """
    reference: Any = resolve("reference").instantiate()
    kernels = reference.kernels
    layers, images = chain(name), digits().held_images
    quants, inputs = zoo.calibrate(layers, digits().images), [images, *zoo.forward(layers, images)]
    variance = np.full(images.shape, quants[0].scale[0] ** 2 / 12)
    for number, layer in enumerate(layers[:-1]):
        plain = {**layer.options, **({"activation": "NONE"} if layer.trained else {})}
        if layer.weights is None:
            variance = kernels[layer.op](variance, **plain)
            continue
        steps = np.asarray(zoo.weight_quant(layer.weights).scale)
        none = np.zeros(len(layer.weights))
        own = kernels[layer.op](inputs[number] ** 2, np.ones_like(layer.weights), none, **plain) * steps**2 / 12
        variance = kernels[layer.op](variance, layer.weights.astype(np.float64) ** 2, none, **plain) + own
        variance = variance + quants[number + 1].scale[0] ** 2 / 12
    return np.asarray(np.sqrt(variance))


@cache
def sure(file: str) -> Array:
    """Tell for every held-out image whether a right runtime must read it right."""
    name, _, kind = file.removesuffix(".tflite").rpartition("_")
    ordered = np.sort(logits(name), axis=1)
    margin = ordered[:, -1] - ordered[:, -2]
    slack = FLOAT_SLACK if kind == "float32" else SIGMAS * np.sqrt(2) * spread(name).max(axis=1)
    return np.asarray((logits(name).argmax(axis=1) == digits().held_labels) & (margin > slack))


def view(file: str) -> ModelView:
    return read_model((FOLDER / file).read_bytes(), file)


def fed(file: str) -> list[tuple[Array, ...]]:
    tensor = view(file).tensors[view(file).inputs[0]]
    images = digits().held_images
    if tensor.quant is None:
        data = images.astype(np.float32)
    else:
        data = quantize(images, tensor.quant, "int8").astype(np.int8)
    return [(image[None],) for image in data]


def answers(file: str, runtime: str) -> Array:
    try:
        executor = connect(resolve(runtime))
    except Unavailable as error:
        pytest.skip(str(error))
    try:
        outcome = executor.execute((FOLDER / file).read_bytes(), fed(file))
    finally:
        executor.close()
    assert isinstance(outcome, Produced), outcome
    return np.array([vector[0].reshape(-1).argmax() for vector in outcome.outputs])


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("file", FILES)
def test_every_sure_digit_is_read_right(file: str, runtime: str) -> None:
    found, right = answers(file, runtime), sure(file)
    wrong = np.flatnonzero(right & (found != digits().held_labels))
    assert wrong.size == 0, f"images {wrong.tolist()}"
    assert np.mean(found == digits().held_labels) >= np.mean(right)


@pytest.mark.parametrize(("file", "least"), [(file, 0.96 if "float" in file else 0.90) for file in FILES])
def test_the_bound_asks_for_something(file: str, least: float) -> None:
    assert np.mean(sure(file)) >= least


def test_the_committed_files_are_what_the_committed_parameters_give(tmp_path: Path) -> None:
    with np.load(FOLDER / "digits.npz") as stored:
        trained = {name: zoo.read_parameters(name, dict(stored)) for name in zoo.CHAINS}
    for path in zoo.write_folder(tmp_path, trained, digits()):
        assert content(path) == content(FOLDER / path.name), f"{path.name}: run zoo --rewrite specs/models"


def content(path: Path) -> Any:
    """Return the bytes of a file, or of the arrays of an archive: its own differ between patches of Python."""
    if path.suffix != ".npz":
        return path.read_bytes()
    with np.load(path) as stored:
        return {name: (array.dtype, array.shape, array.tobytes()) for name, array in stored.items()}


def test_training_anew_gives_classifiers_as_good() -> None:
    for name, train in (("digits", zoo.train_dense), ("digits_conv", zoo.train_conv)):
        layers = zoo.fill(zoo.CHAINS[name], train(digits()))
        right = zoo.forward(layers, digits().held_images)[-2].argmax(axis=1) == digits().held_labels
        assert [w.shape for w, _ in _pairs(layers)] == [w.shape for w, _ in _pairs(chain(name))]
        assert right.mean() >= np.mean(logits(name).argmax(axis=1) == digits().held_labels) - 0.02


def _pairs(layers: tuple[zoo.Layer, ...]) -> list[tuple[Any, Any]]:
    return [(layer.weights, layer.bias) for layer in layers if layer.weights is not None]


def test_the_sample_is_64_held_out_images() -> None:
    with np.load(FOLDER / "digits.npz") as stored:
        assert stored["images"].shape == (64, 8, 8, 1)
        np.testing.assert_array_equal(stored["images"] / 16, digits().held_images[:64])
        np.testing.assert_array_equal(stored["labels"], digits().held_labels[:64])


@pytest.mark.parametrize("file", [file for file in FILES if "int8" in file])
def test_the_model_command_finds_all_runtimes_equal_on_int8(file: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["opconform", "model", str(FOLDER / file), "--vectors", "8"])
    assert guard(app) == 0


def test_biases_stand_on_the_scale_of_the_products() -> None:
    tensors = {tensor.name: tensor for tensor in view("digits_int8.tflite").tensors}
    image, weights, bias = tensors["image"].quant, tensors["weights0"].quant, tensors["bias0"].quant
    assert image is not None
    assert weights is not None
    assert bias is not None
    want = np.float32(image.scale[0]) * np.asarray(weights.scale, np.float32)
    np.testing.assert_array_equal(np.asarray(bias.scale, np.float32), want)
    assert len(weights.scale) == 24


@pytest.mark.parametrize("scale", [0.1, 1 / 255, 3.0, 2.0**-9])
def test_a_coarse_scale_is_just_above_and_fits_into_float32(scale: float) -> None:
    found = zoo.coarse(scale)
    assert scale <= found <= scale * (1 + 2.0 ** -(zoo.SCALE_BITS - 1))
    assert found == float(np.float32(found))
    assert zoo.coarse(scale * (1 + 1e-13)) in (found, found * (1 + 2.0 ** -(zoo.SCALE_BITS - 1)))
    assert zoo.coarse(found) == found


def test_the_zoo_of_the_digits_models_has_every_file_and_the_images_that_were_held_out() -> None:
    entries = load_zoo(FOLDER / "digits.yaml").models.values()
    assert sorted(entry.path.name for entry in entries) == list(FILES)
    for entry in entries:
        found = held_out(entry.task, read_entry(entry), 360)
        assert found.labels is not None
        np.testing.assert_array_equal(found.labels, digits().held_labels)
        (first,) = found.vectors[0]
        assert first.shape == (1, 8, 8, 1)
