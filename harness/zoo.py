"""The project's own small models: classifiers of scikit-learn's digits, trained, quantized and written here.

`python -m opconform.harness.zoo DIR` trains them and writes DIR/*.tflite and DIR/digits.npz (trained parameters and
some held-out images). With `--rewrite` the parameters are those of DIR/digits.npz: training depends on the last bits
of a linear-algebra library, everything after it gives the same bytes on every machine. Both need scikit-learn, which
brings the images: `pip install 'opconform[test]'`.
"""

from __future__ import annotations

import math
import sys
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from opconform.harness.flatmodel import Graph, Node, TensorDef, write_model
from opconform.harness.model import Array, Quant
from opconform.harness.numerics import integer_range, quantize
from opconform.harness.registry import resolve

#: Every so many-th digit is held out of training.
HELD_OUT = 5
#: Held-out images that digits.npz carries.
SAMPLE = 64
#: A scale keeps so many significant bits, so that the last bits of a calibration, which differ from one
#: linear-algebra library to the next, do not reach the file.
SCALE_BITS = 12
SOFTMAX_QUANT = Quant((1 / 256,), (-128,))
KEEPS_SCALE = frozenset({"MAX_POOL_2D"})

Pairs = Sequence[tuple[Array, Array]]


@dataclass(frozen=True, slots=True)
class Layer:
    """One operator of a chain: its options, float32 weights (first axis: channel) and bias where it has them."""

    op: str
    options: Mapping[str, Any] = field(default_factory=dict)
    weights: Array | None = None
    bias: Array | None = None

    @property
    def trained(self) -> bool:
        """Tell whether the op has weights."""
        return self.op in ("FULLY_CONNECTED", "CONV_2D")


def _dense(activation: str) -> Layer:
    return Layer("FULLY_CONNECTED", {"activation": activation, "keep_num_dims": False})


_CONV = {"stride_h": 1, "stride_w": 1, "dilation_h": 1, "dilation_w": 1, "padding": "SAME", "activation": "RELU"}
_POOL = {"stride_h": 2, "stride_w": 2, "filter_h": 2, "filter_w": 2, "padding": "VALID", "activation": "NONE"}
_SOFTMAX = Layer("SOFTMAX", {"beta": 1.0})

#: The models by name, without their weights.
CHAINS: Mapping[str, tuple[Layer, ...]] = {
    "digits": (_dense("RELU"), _dense("NONE"), _SOFTMAX),
    "digits_conv": (Layer("CONV_2D", _CONV), Layer("MAX_POOL_2D", _POOL), _dense("NONE"), _SOFTMAX),
}


@dataclass(frozen=True, slots=True)
class Digits:
    """float64 images of 8 x 8 in [0, 1], shape [n, 8, 8, 1], and their labels: to train with, and held out."""

    images: Array
    labels: Array
    held_images: Array
    held_labels: Array


def load_digits() -> Digits:
    """Return scikit-learn's digits (they ship with it: nothing is downloaded)."""
    from sklearn.datasets import load_digits as load

    pixels, labels = load(return_X_y=True)
    images = (pixels / 16).reshape(-1, 8, 8, 1)
    held = np.arange(len(labels)) % HELD_OUT == 0
    return Digits(images[~held], labels[~held], images[held], labels[held])


def train_dense(digits: Digits) -> Pairs:
    """Return weights and biases of the two dense layers."""
    from sklearn.neural_network import MLPClassifier

    network = MLPClassifier((24,), alpha=0.1, solver="lbfgs", max_iter=150, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # stopped before it converged: good enough
        network.fit(digits.images.reshape(len(digits.labels), 64), digits.labels)
    return [(weights.T, bias) for weights, bias in zip(network.coefs_, network.intercepts_, strict=True)]


def train_conv(digits: Digits) -> Pairs:
    """Return weights and biases of the convolution and of the dense layer.

    The filters are the principal components of 3 x 3 patches and their negatives, so only the last layer is trained.
    """
    from sklearn.decomposition import PCA
    from sklearn.linear_model import LogisticRegression

    patches = np.lib.stride_tricks.sliding_window_view(digits.images[..., 0], (3, 3), axis=(1, 2)).reshape(-1, 9)
    parts = PCA(4, svd_solver="full").fit(patches).components_
    filters = np.concatenate([parts, -parts]).reshape(-1, 3, 3, 1)
    first = (filters, np.zeros(len(filters)))
    features = forward(fill(CHAINS["digits_conv"][:2], [first]), digits.images)[-1].reshape(len(digits.labels), -1)
    last = LogisticRegression(C=1.0, tol=1e-3, max_iter=300).fit(features, digits.labels)
    return [first, (last.coef_, last.intercept_)]


def fill(chain: Sequence[Layer], pairs: Pairs) -> tuple[Layer, ...]:
    """Return a chain with weights and biases, rounded to float32, in the order of its layers."""
    rest = iter(pairs)
    return tuple(_filled(layer, *next(rest)) if layer.trained else layer for layer in chain)


def _filled(layer: Layer, weights: Array, bias: Array) -> Layer:
    return replace(layer, weights=np.asarray(weights, np.float32), bias=np.asarray(bias, np.float32))


def forward(layers: Sequence[Layer], images: Array) -> list[Array]:
    """Return the float64 output of every layer, by the reference's kernels."""
    reference: Any = resolve("reference").instantiate()
    outputs: list[Array] = []
    for layer in layers:
        constants = () if layer.weights is None else (layer.weights, layer.bias)
        outputs.append(reference.kernels[layer.op](outputs[-1] if outputs else images, *constants, **layer.options))
    return outputs


def coarse(scale: float) -> float:
    """Round a positive scale up to SCALE_BITS significant bits; exact in float32."""
    mantissa, exponent = math.frexp(scale)
    return math.ldexp(math.ceil(round(mantissa * 2**SCALE_BITS, 6)), exponent - SCALE_BITS)


def activation_quant(low: float, high: float) -> Quant:
    """Return the int8 quantization of activations seen in [low, high]: zero is exact, the range is covered."""
    low, high = min(low, 0.0), max(high, 0.0)
    scale = coarse((high - low) / 255)
    bottom, top = integer_range("int8")
    return Quant((scale,), (min(max(round(bottom - low / scale), bottom), top),))


def weight_quant(weights: Array) -> Quant:
    """Return the symmetric per-channel int8 quantization of weights, channels on axis 0, within -127 .. 127."""
    peaks = np.abs(weights.reshape(len(weights), -1)).max(axis=1)
    return Quant(tuple(coarse(float(peak) / 127) for peak in peaks), (0,) * len(peaks), 0)


def calibrate(layers: Sequence[Layer], images: Array) -> list[Quant]:
    """Return the quantization of the input and of every layer's output, from what the images give."""
    quants = [activation_quant(float(images.min()), float(images.max()))]
    for layer, output in zip(layers, forward(layers, images), strict=True):
        if layer.op == "SOFTMAX":
            quants.append(SOFTMAX_QUANT)
        elif layer.op in KEEPS_SCALE:
            quants.append(quants[-1])
        else:
            quants.append(activation_quant(float(output.min()), float(output.max())))
    return quants


def _shapes(layers: Sequence[Layer], shape: tuple[int, ...]) -> list[tuple[int, ...]]:
    return [shape, *(output.shape for output in forward(layers, np.zeros(shape)))]


def write_float(layers: Sequence[Layer], description: str) -> bytes:
    """Return the float32 .tflite of a chain; its input is one image."""
    shapes = _shapes(layers, (1, 8, 8, 1))
    tensors = [TensorDef(_name(n, len(shapes)), "float32", shape) for n, shape in enumerate(shapes)]
    constants = [_float_constants(n, layer) for n, layer in enumerate(layers)]
    return _chain(layers, tensors, constants, description)


def write_int8(layers: Sequence[Layer], quants: Sequence[Quant], description: str) -> bytes:
    """Return the int8 .tflite of a chain: weights per channel, biases int32 on the scale of the products."""
    shapes = _shapes(layers, (1, 8, 8, 1))
    tensors = [
        TensorDef(_name(n, len(shapes)), "int8", shape, quant=quant)
        for n, (shape, quant) in enumerate(zip(shapes, quants, strict=True))
    ]
    constants = [_int8_constants(n, layer, quants[n]) for n, layer in enumerate(layers)]
    return _chain(layers, tensors, constants, description)


def _name(position: int, count: int) -> str:
    return "image" if position == 0 else "digit" if position == count - 1 else f"layer{position}"


def _float_constants(position: int, layer: Layer) -> list[TensorDef]:
    if layer.weights is None or layer.bias is None:
        return []
    return [
        TensorDef(f"weights{position}", "float32", layer.weights.shape, layer.weights),
        TensorDef(f"bias{position}", "float32", layer.bias.shape, layer.bias),
    ]


def _int8_constants(position: int, layer: Layer, given: Quant) -> list[TensorDef]:
    if layer.weights is None or layer.bias is None:
        return []
    quant = weight_quant(layer.weights)
    products = Quant(tuple(float(np.float32(given.scale[0] * s)) for s in quant.scale), quant.zero_point, 0)
    weights, bias = quantize(layer.weights, quant, "int8"), quantize(layer.bias, products, "int32")
    return [
        TensorDef(f"weights{position}", "int8", weights.shape, weights, quant),
        TensorDef(f"bias{position}", "int32", bias.shape, bias, products),
    ]


def _chain(
    layers: Sequence[Layer], tensors: Sequence[TensorDef], constants: Sequence[Sequence[TensorDef]], description: str
) -> bytes:
    flat = [tensor for held in constants for tensor in held]
    starts = np.cumsum([len(tensors), *(len(held) for held in constants)])
    nodes = tuple(
        Node(layer.op, (n, *range(int(begin), int(end))), (n + 1,), layer.options)
        for n, (layer, (begin, end)) in enumerate(zip(layers, pairwise(starts), strict=True))
    )
    graph = Graph((*tensors, *flat), nodes, (0,), (len(tensors) - 1,), "main")
    return write_model([graph], description)


def models(name: str, layers: Sequence[Layer], digits: Digits) -> dict[str, bytes]:
    """Return the float32 and the int8 file of one model by file name."""
    text = f"opconform {name}: classifier of handwritten digits"
    quants = calibrate(layers, digits.images)
    return {
        f"{name}_float32.tflite": write_float(layers, text),
        f"{name}_int8.tflite": write_int8(layers, quants, text),
    }


def parameters(name: str, pairs: Pairs) -> dict[str, Array]:
    """Return weights and biases as float32 arrays by the names they have in digits.npz."""
    named = {
        f"{name}_{n}_{what}": value for n, pair in enumerate(pairs) for what, value in zip("wb", pair, strict=True)
    }
    return {key: np.asarray(value, np.float32) for key, value in named.items()}


def read_parameters(name: str, stored: Mapping[str, Array]) -> Pairs:
    """Return weights and biases as `parameters` named them."""
    count = sum(layer.trained for layer in CHAINS[name])
    return [(stored[f"{name}_{n}_w"], stored[f"{name}_{n}_b"]) for n in range(count)]


def write_folder(folder: Path, trained: Mapping[str, Pairs], digits: Digits) -> list[Path]:
    """Write all models, their parameters and a sample of held-out images; return the paths."""
    folder.mkdir(parents=True, exist_ok=True)
    kept: dict[str, Array] = {"images": (digits.held_images[:SAMPLE] * 16).astype(np.uint8)}
    kept["labels"] = digits.held_labels[:SAMPLE].astype(np.uint8)
    written = []
    for name, pairs in trained.items():
        kept |= parameters(name, pairs)
        for file, data in models(name, fill(CHAINS[name], pairs), digits).items():
            (folder / file).write_bytes(data)
            written.append(folder / file)
    np.savez(folder / "digits.npz", allow_pickle=False, **kept)
    return [*written, folder / "digits.npz"]


def main(arguments: Sequence[str]) -> int:
    """Write models and sample into a folder."""
    rewrite = "--rewrite" in arguments
    folders = [Path(text) for text in arguments if text != "--rewrite"]
    if len(folders) != 1:
        print("usage: python -m opconform.harness.zoo [--rewrite] DIR", file=sys.stderr)
        return 2
    digits = load_digits()
    if rewrite:
        stored = dict(np.load(folders[0] / "digits.npz"))
        trained = {name: read_parameters(name, stored) for name in CHAINS}
    else:
        trained = {"digits": train_dense(digits), "digits_conv": train_conv(digits)}
    for path in write_folder(folders[0], trained, digits):
        print(f"{path}: {path.stat().st_size} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
