"""Integer LSTM: 8- or 16-bit inputs and outputs, 8-bit weights, sums and cells of 16 bits.

There are two arithmetics. A plain cell, with all gates and no peephole, projection or normalization, has that of TFLM:
sigmoid and tanh by tables, products by rescales. Every other cell, which TFLM lacks, has that of TFLite: sigmoid and
tanh in 16-bit fixed point, products by shifts. Sources: kernels/lstm_eval.cc of TFLite,
kernels/lstm_eval_common.cc of TFLM.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from opconform.harness.model import Array, Quant
from opconform.harness.numerics import (
    RESCALE_64,
    Rescale,
    integer_range,
    multiply_by_quantized_multiplier,
    quantize_multiplier,
    rounding_divide_by_pot,
)
from opconform.runtimes.reference.kernels import _fixed16, _fixedpoint
from opconform.runtimes.reference.kernels._common import centred
from opconform.runtimes.reference.kernels._fixed16 import clamp16, high_product
from opconform.runtimes.reference.kernels._recurrent import steps
from opconform.runtimes.reference.kernels.elementwise import sigmoid_table
from opconform.runtimes.reference.registry import twin

#: Sums have 12 fractional bits, gates 15.
SUM, GATE = 2.0**-12, 2.0**-15
GATES = "ifgo"


@dataclass(frozen=True, slots=True)
class Curves:
    """Sigmoid of a sum, tanh of a sum and tanh of a cell, all to 15 fractional bits."""

    sigmoid: Callable[[Array], Array]
    tanh: Callable[[Array], Array]
    tanh_of_cell: Callable[[Array], Array]


@lru_cache(maxsize=1)
def _samples() -> Array:
    return sigmoid_table()


def table_sigmoid(place: Array) -> Array:
    """Look up the sigmoid of place / 12288: the table's step is 512 places; 1 from step 255 on."""
    table, size = _samples(), np.abs(place)
    index, part = np.minimum(size >> 9, 254), size & 511
    inside = (table[index] << 9) + part * (table[index + 1] - table[index])
    high = np.where(size >> 9 >= 255, 0x7FFF << 10, inside)
    return np.asarray(np.where(place >= 0, high + 512, (1 << 25) - high + 511) >> 10)


def table_tanh(place: Array) -> Array:
    """Look up tanh of place / 12288 as 2 * sigmoid(2 x) - 1: half the places a step."""
    table, size = _samples(), np.abs(place)
    index, part = np.minimum(size >> 8, 254), size & 255
    inside = (table[index] << 8) + part * (table[index + 1] - table[index])
    high = np.where(size >> 8 >= 255, 0xFFFF << 8, inside) - (1 << 23)
    return np.asarray(np.where(place >= 0, high + 128, 127 - high) >> 8)


def _table_curves(power: int) -> Curves:
    """Return TFLM's curves; cells have the quantum 2**power, and 3 * 2**12 places make a unit."""
    shift = 12 + power

    def cell(c: Array) -> Array:
        place = (c * 3) << shift if shift >= 0 else (c * 3 + (1 << (-shift - 1))) >> -shift
        return table_tanh(place)

    return Curves(lambda z: table_sigmoid(z * 3), lambda z: table_tanh(z * 3), cell)


def _fixed_curves(power: int) -> Curves:
    """Return TFLite's curves: sums have 3 integer bits, cells 15 + power."""
    return Curves(
        lambda z: _fixed16.sigmoid(z, 3), lambda z: _fixed16.tanh(z, 3), lambda c: _fixed16.tanh(c, 15 + power)
    )


def _float32_product(a: float, b: float) -> float:
    return float(np.float32(a) * np.float32(b))


def _clip_of(clip: float, scale: float) -> int:
    return int(min(max(float(np.float32(clip) / np.float32(scale)), -32768.0), 32767.0))


def _double(x: Array, real: float) -> Array:
    return multiply_by_quantized_multiplier(x, *quantize_multiplier(real))


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer's raw parameters by name (w, r, c and n with a gate's letter; b; p, pb) and quantizations."""

    raw: Mapping[str, Array | None]
    q: Mapping[str, Quant]
    dtype: str
    plain: bool
    cell_clip: float
    proj_clip: float

    def scale(self, name: str) -> float:
        """Return a tensor's scale."""
        return self.q[name].scale[0]

    @property
    def power(self) -> int:
        """Return the binary logarithm of the cell's quantum."""
        return round(math.log2(self.scale("c")))

    @property
    def curves(self) -> Curves:
        """Return the curves of the layer's arithmetic."""
        return _table_curves(self.power) if self.plain else _fixed_curves(self.power)

    def sums(self, gate: str, x: Array, h: Array, c: Array) -> Array:
        """Return a gate's weighed sums in int16, with 12 fractional bits."""
        normal = self.raw.get(f"n{gate}") is not None
        quantum = self.scale(f"z{gate}") if normal else SUM
        bias = 0 if normal else self.raw[f"b{gate}"]
        rescale = RESCALE_64 if self.dtype == "int16" else _double
        of_x = centred(x, self.q["x"]) @ np.asarray(self.raw[f"w{gate}"]).T + bias
        of_h = centred(h, self.q["h"]) @ np.asarray(self.raw[f"r{gate}"]).T
        first = rescale(of_x, _float32_product(self.scale(f"w{gate}"), self.scale("x")) / quantum)
        second = rescale(of_h, _float32_product(self.scale(f"r{gate}"), self.scale("h")) / quantum)
        # TFLM stores both in 16 bits and adds; TFLite adds the second to the stored first: both saturate.
        total = clamp16(clamp16(first) + (clamp16(second) if self.plain else second))
        hole = self.raw.get(f"c{gate}")
        if hole is not None:
            real = float(np.float32(2.0**self.power * self.scale(f"c{gate}")) / np.float32(quantum))
            total = clamp16(_double(hole * c, real) + total)
        return self._normalized(gate, total) if normal else total

    def _normalized(self, gate: str, z: Array) -> Array:
        """Normalize rows of int16: mean with 10 fractional bits, variance in whole squares, root by Newton steps."""
        weights, bias, scale = self.raw[f"n{gate}"], self.raw[f"b{gate}"], self.scale(f"n{gate}")
        guard = max(1, int(np.float32(10000) * np.float32(scale)))
        rows = [_normalized_row(row, np.asarray(weights), np.asarray(bias), scale, guard) for row in z]
        return np.stack(rows)

    def step(self, x: Array, h: Array, c: Array) -> tuple[Array, Array]:
        """Return the new output and cell."""
        f = self.curves.sigmoid(self.sums("f", x, h, c))
        if self.raw["wi"] is None:
            i = 32767 - f
        else:
            i = self.curves.sigmoid(self.sums("i", x, h, c))
        g = self.curves.tanh(self.sums("g", x, h, c))
        c = self._cell(f, i, g, c)
        o = self.curves.sigmoid(self.sums("o", x, h, c))
        return self._output(o, self.curves.tanh_of_cell(c)), c

    def _cell(self, f: Array, i: Array, g: Array, c: Array) -> Array:
        if self.plain:
            kept, added = clamp16(_double(f * c, GATE)), clamp16(_double(i * g, GATE * GATE / self.scale("c")))
        else:
            kept, added = rounding_divide_by_pot(f * c, 15), _fixed16.wrap16(_shifted(i * g, 30 + self.power))
        total = clamp16(kept + added)
        limit = _clip_of(self.cell_clip, self.scale("c"))
        return np.asarray(np.clip(total, -limit, limit)) if self.cell_clip > 0 and limit > 0 else total

    def _output(self, o: Array, t: Array) -> Array:
        low, high = integer_range(self.dtype)
        zero = self.q["h"].zero_point[0]
        if self.raw["p"] is None:
            # TFLite takes the quantization of the last intermediate, which is the output's where nothing is projected.
            scale = self.scale("h")
            real = GATE * GATE / scale if self.plain else float(np.float32(GATE / np.float32(scale) * GATE))
            return np.asarray(np.clip(_double(o * t, real) + zero, low, high))
        inner = self.q["m"]
        hidden = _double(o * t, float(np.float32(GATE / np.float32(inner.scale[0]) * GATE)))
        stored = np.clip(hidden - inner.zero_point[0], low, high) + inner.zero_point[0]
        acc = stored @ np.asarray(self.raw["p"]).T + (0 if self.raw["pb"] is None else self.raw["pb"])
        real = float(np.float32(_float32_product(self.scale("p"), inner.scale[0])) / np.float32(self.scale("h")))
        y = np.clip(_double(acc, real) + zero, low, high)
        limit = int(min(max(float(np.float32(self.proj_clip) / np.float32(self.scale("h"))), -128.0), 127.0))
        return np.asarray(np.clip(y - zero, -limit, limit) + zero if self.proj_clip > 0 and limit > 0 else y)


def _shifted(x: Array, bits: int) -> Array:
    return rounding_divide_by_pot(x, bits) if bits >= 0 else x << -bits


def _normalized_row(row: Array, weights: Array, bias: Array, scale: float, guard: int) -> Array:
    """Normalize one row; every division of C cuts towards zero."""
    values, count = [int(v) for v in row], len(row)
    mean = _cut(sum(values) * 1024, count)
    variance = _cut(sum(v * v for v in values) * (2**20 // count) - mean * mean, 2**20)
    q31, shift = _fixedpoint.inverse_sqrt(variance if variance >= 1 else guard)
    centred_row = np.asarray([1024 * v - mean for v in values])
    rescaled = multiply_by_quantized_multiplier(centred_row, q31, shift)
    weighed = [_cut(int(v) + (512 if v > 0 else -512), 1024) for v in rescaled * weights + bias]
    first, second = quantize_multiplier(scale)
    return clamp16(multiply_by_quantized_multiplier(np.asarray(weighed), first, second + 12))


def _cut(a: int, b: int) -> int:
    return abs(a) // b * (1 if a >= 0 else -1)


def _layer(arguments: Sequence[Any], q: Mapping[str, Quant], dtype: str, options: Mapping[str, Any]) -> Layer:
    names = [f"{kind}{gate}" for kind in "wr" for gate in GATES]
    names += ["ci", "cf", "co", "bi", "bf", "bg", "bo", "p", "pb"]
    raw = dict(zip(names, arguments[1:18], strict=True))
    raw |= dict(zip(["ni", "nf", "ng", "no"], arguments[20:24], strict=False))
    plain = raw["wi"] is not None and raw["cf"] is None and raw["p"] is None and raw.get("nf") is None
    return Layer(raw, q, dtype, plain, float(options["cell_clip"]), float(options["proj_clip"]))


@twin("UNIDIRECTIONAL_SEQUENCE_LSTM")
def sequence_lstm_int(
    *arguments: Any,
    q: Mapping[str, Quant],
    dtypes: Mapping[str, str],
    rescale: Rescale,
    time_major: bool,
    **options: Any,
) -> tuple[Array, Array, Array]:
    """Run an integer cell over time; the order of its inputs is that of the float kernel."""
    layer = _layer(arguments, q, dtypes["x"], options)
    h, c = arguments[18], arguments[19]
    outputs = []
    for x in steps(arguments[0], time_major):
        h, c = layer.step(x, h, c)
        outputs.append(h)
    return np.stack(outputs, axis=0 if time_major else 1), h, c


@twin("LSTM")
def lstm_int(
    *arguments: Any,
    q: Mapping[str, Quant],
    dtypes: Mapping[str, str],
    rescale: Rescale,
    kernel_type: str,
    **options: Any,
) -> tuple[Array, ...]:
    """FULL: one step as above, in TFLite's arithmetic, since TFLM lacks the op. BASIC: as `_basic`."""
    if kernel_type == "BASIC":
        return _basic(arguments, q)
    layer = _layer(arguments, q, dtypes["x"], options)
    full = Layer(layer.raw, q, layer.dtype, False, layer.cell_clip, layer.proj_clip)
    h, c = full.step(arguments[0], arguments[18], arguments[19])
    return h, h, c


def _basic(arguments: Sequence[Array], q: Mapping[str, Quant]) -> tuple[Array, ...]:
    """Run the 8-bit cell of one matrix: sums with 12 fractional bits, cells with 11, outputs of 7 around 128."""
    x, last, w, bias, state = arguments
    both = np.concatenate([x, last], axis=1)
    acc = (both - 128) @ centred(w, q["w"]).T + bias
    z = clamp16(_double(acc, 4096 * q["b"].scale[0]))
    i, g, f, o = np.split(z, 4, axis=1)
    added = high_product(_fixed16.sigmoid(i, 3), _fixed16.tanh(g, 3))
    c = clamp16(rounding_divide_by_pot(added, 4) + high_product(_fixed16.sigmoid(f, 3), state))
    y = high_product(_fixed16.sigmoid(o, 3), _fixed16.tanh(clamp16(c << 1), 3))
    return 128 + np.clip(rounding_divide_by_pot(y, 8), -128, 127), c, both, z
