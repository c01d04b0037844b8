"""The networks of the zoo: what they learn from, their layers, and their training by Keras.

All data ship inside scikit-learn; nothing is downloaded.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from opconform.harness.model import Array
from opconform.harness.zoo import HELD_OUT, load_digits

BATCH = 32


@dataclass(frozen=True, slots=True)
class Data:
    """float32 inputs, one a row, and int64 labels: to train with, and held out."""

    inputs: Array
    labels: Array
    held_inputs: Array
    held_labels: Array


@cache
def digits() -> Data:
    """Return handwritten digits: images of 8 x 8 x 1 in [0, 1], 10 classes."""
    found = load_digits()
    return Data(
        found.images.astype(np.float32),
        found.labels.astype(np.int64),
        found.held_images.astype(np.float32),
        found.held_labels.astype(np.int64),
    )


@cache
def tumours() -> Data:
    """Return measurements of cell nuclei: 30 numbers, standardized by those trained with; 2 classes, benign is 1."""
    from sklearn.datasets import load_breast_cancer

    measured, labels = load_breast_cancer(return_X_y=True)
    held = np.arange(len(labels)) % HELD_OUT == 0
    known = measured[~held]
    inputs = ((measured - known.mean(axis=0)) / known.std(axis=0)).astype(np.float32)
    labels = labels.astype(np.int64)
    return Data(inputs[~held], labels[~held], inputs[held], labels[held])


TASKS: Mapping[str, Callable[[], Data]] = {"digits": digits, "tumours": tumours}


@dataclass(frozen=True, slots=True)
class Family:
    """A network: the task it learns, its layers from Keras's, and how long it is trained."""

    task: str
    layers: Callable[[Any], list[Any]]
    epochs: int
    rate: float = 3e-3


@dataclass(frozen=True, slots=True)
class Trained:
    """A Keras network with its weights, and the mean loss of each epoch."""

    network: Any
    losses: tuple[float, ...]


def _dense(of: Any) -> list[Any]:
    return [of.Flatten(), of.Dense(32, activation="relu"), of.Dense(10, activation="softmax")]


def _conv(of: Any) -> list[Any]:
    return [
        of.Conv2D(8, 3, padding="same", activation="relu"),
        of.MaxPooling2D(2),
        of.Conv2D(16, 3, padding="same", activation="relu"),
        of.MaxPooling2D(2),
        of.Flatten(),
        of.Dense(10, activation="softmax"),
    ]


def _depthwise(of: Any) -> list[Any]:
    """Return separable convolutions with batch normalization, which a converter folds into the weights."""

    def separable(channels: int, stride: int) -> list[Any]:
        first = of.DepthwiseConv2D(3, strides=stride, padding="same", use_bias=False)
        second = of.Conv2D(channels, 1, use_bias=False)
        return [first, of.BatchNormalization(), of.ReLU(6.0), second, of.BatchNormalization(), of.ReLU(6.0)]

    return [
        of.Conv2D(8, 3, padding="same", use_bias=False),
        of.BatchNormalization(),
        of.ReLU(6.0),
        *separable(32, 2),
        *separable(32, 1),
        of.GlobalAveragePooling2D(),
        of.Dense(10, activation="softmax"),
    ]


def _recurrent(of: Any) -> list[Any]:
    """Return an LSTM that reads an image row by row, from the top."""
    return [of.Reshape((8, 8)), of.LSTM(24), of.Dense(10, activation="softmax")]


def _residual(of: Any) -> list[Any]:
    """Return a convolution, a block of two more that is added to its own input, and pooling over the image."""
    keras = _keras()
    begin = keras.Input((4, 4, 12))
    inner = of.Conv2D(12, 3, padding="same", activation="relu")(begin)
    inner = of.Conv2D(12, 3, padding="same")(inner)
    block = keras.Model(begin, of.ReLU()(of.Add()([begin, inner])))
    return [
        of.Conv2D(12, 3, strides=2, padding="same", activation="relu"),
        block,
        of.AveragePooling2D(2),
        of.Flatten(),
        of.Dense(10, activation="softmax"),
    ]


def _tabular(of: Any) -> list[Any]:
    return [of.Dense(40, activation="tanh"), of.Dense(2, activation="softmax")]


FAMILIES: Mapping[str, Family] = {
    "dense": Family("digits", _dense, 40),
    "conv": Family("digits", _conv, 25),
    "depthwise": Family("digits", _depthwise, 40),
    "recurrent": Family("digits", _recurrent, 40),
    "residual": Family("digits", _residual, 25),
    "tabular": Family("tumours", _tabular, 20, rate=1e-3),
}


def train(name: str, seed: int, epochs: int | None = None) -> Trained:
    """Train a family with Adam on the cross-entropy of its classes; one seed and one machine give the same weights."""
    keras, family = _keras(), FAMILIES[name]
    data = TASKS[family.task]()
    keras.utils.clear_session()  # it counts layers, and their names reach the file
    keras.utils.set_random_seed(seed)
    network = keras.Sequential([keras.Input(data.inputs.shape[1:]), *family.layers(keras.layers)])
    network.compile(keras.optimizers.Adam(family.rate), "sparse_categorical_crossentropy")
    history = network.fit(
        data.inputs, data.labels, batch_size=BATCH, epochs=epochs or family.epochs, shuffle=True, verbose=0
    )
    return Trained(network, tuple(float(loss) for loss in history.history["loss"]))


def _keras() -> Any:
    return importlib.import_module("keras")
