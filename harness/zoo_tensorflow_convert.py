"""Trained Keras networks to .tflite files, by TensorFlow's own converter."""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from opconform.harness.model import Array
from opconform.harness.models import FORMATS

#: The dtype of the input and the output in each format.
INPUTS = {"float32": "float32", "dynamic_range": "float32", "int8": "int8", "int16x8": "int16"}
#: So many inputs of those trained with calibrate the integer forms.
CALIBRATION = 200
#: What the converter knows a function by that it replaces with one UNIDIRECTIONAL_SEQUENCE_LSTM: Keras 2 marked its
#: layers so, Keras 3 no longer does, and its loop would become a WHILE.
_FUSED = {"api_implements": "lstm_opconform", "api_preferred_device": "CPU", "time_major": False, "go_backwards": False}
#: Formats in which the converter leaves a fused LSTM in float32 (dynamic_range, below 1024 weights a gate) or refuses
#: it (int16x8): there the steps stand one after the other, as the operators that they are made of.
_UNROLLED = ("dynamic_range", "int16x8")


def convert_all(tf: Any, network: Any, inputs: Array) -> Mapping[str, bytes]:
    """Return the .tflite of a network in every format; `inputs` are those that it was trained with."""
    return {form: _convert(tf, network, inputs, form) for form in FORMATS}


def _convert(tf: Any, network: Any, inputs: Array, form: str) -> bytes:
    function = _function(tf, network, inputs.shape[1:], {} if form in _UNROLLED else _FUSED)
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function], tf.Module())
    if form != "float32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if form in ("int8", "int16x8"):
        converter.representative_dataset = lambda: _samples(inputs)
        converter.target_spec.supported_ops = [_operators(tf, form)]
        converter.inference_input_type = converter.inference_output_type = getattr(tf, INPUTS[form])
    with _quiet():
        return bytes(converter.convert())


def _operators(tf: Any, form: str) -> Any:
    if form == "int8":
        return tf.lite.OpsSet.TFLITE_BUILTINS_INT8
    return tf.lite.OpsSet.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8


def _samples(inputs: Array) -> Iterator[list[Array]]:
    for chosen in np.linspace(0, len(inputs) - 1, CALIBRATION).astype(int):
        yield [inputs[chosen : chosen + 1]]


def _function(tf: Any, network: Any, shape: tuple[int, ...], marks: Mapping[str, Any]) -> Any:
    """Return a concrete function of one input: the network layer by layer, an LSTM as a function with `marks`."""
    calls = [_lstm(tf, layer, marks) if type(layer).__name__ == "LSTM" else _plain(layer) for layer in network.layers]

    def forward(x: Any) -> Any:
        for call in calls:
            x = call(x)
        return x

    return tf.function(forward, autograph=False).get_concrete_function(tf.TensorSpec((1, *shape), tf.float32, "x"))


def _plain(layer: Any) -> Callable[[Any], Any]:
    """Return a layer with its weights as constants: variables would stay variables of the .tflite."""
    learned = [variable.numpy() for variable in layer.trainable_variables]
    gathered = [variable.numpy() for variable in layer.non_trainable_variables]
    return lambda x: layer.stateless_call(learned, gathered, x)[0]


def _lstm(tf: Any, layer: Any, marks: Mapping[str, Any]) -> Callable[[Any], Any]:
    """Return an LSTM over a sequence [1, steps, numbers] that starts at zeros; it gives the last output."""
    stored = layer.get_weights()

    def steps(x: Any, h: Any, c: Any, weights: Any, inner: Any, bias: Any) -> Any:
        seen = []
        for step in range(x.shape[1]):
            gates = tf.matmul(x[:, step], weights) + tf.matmul(h, inner) + bias
            i, f, g, o = tf.split(gates, 4, axis=1)
            c = tf.sigmoid(f) * c + tf.sigmoid(i) * tf.tanh(g)
            h = tf.sigmoid(o) * tf.tanh(c)
            seen.append(h)
        return h, tf.stack(seen, 1), h, c, tf.constant(0.0)

    function, zeros = tf.function(steps, experimental_attributes=marks, autograph=False), np.zeros((1, layer.units))
    return lambda x: function(x, *(tf.constant(given, tf.float32) for given in (zeros, zeros, *stored)))[0]


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    with (
        warnings.catch_warnings(),
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
    ):
        warnings.simplefilter("ignore")
        yield
