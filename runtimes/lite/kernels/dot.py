"""The inner loops of CONV_2D, DEPTHWISE_CONV_2D and FULLY_CONNECTED.

Weights stay as they are in the file, one row of `depth` values per output channel. What depends on zero points
alone is folded into the bias when the operator is prepared: sum (x - zx)(w - zw) is
sum x w - zw sum x + (depth zx zw - zx sum w). Integer sums wrap at 32 bits, so the order of summation does not matter.
"""

from __future__ import annotations

import numpy as np

from opconform.harness.model import Array
from opconform.runtimes.lite.fixedpoint import clamp, rescale, rescale_sum, wrap32
from opconform.runtimes.lite.jit import Number, helper, kernel, summing_helper, summing_kernel

# p of all kernels below: geometry
BATCH, HEIGHT, WIDTH, CHANNELS, ROWS, COLUMNS, OUTPUTS = 0, 1, 2, 3, 4, 5, 6
KERNEL_H, KERNEL_W, STRIDE_H, STRIDE_W, DILATION_H, DILATION_W, TOP, LEFT = 7, 8, 9, 10, 11, 12, 13, 14
GROUPS, ZERO_X, ZERO_W, ZERO_OUT, LOW, HIGH, WIDE = 15, 16, 17, 18, 19, 20, 21
PARAMETERS = 22


@summing_helper
def dot_float(x: Array, x_at: Number, w: Array, w_at: Number, depth: Number) -> Number:
    """Return the dot product of two rows in float32."""
    total = np.float32(0)
    for k in range(depth):
        total += x[x_at + k] * w[w_at + k]
    return total


@helper
def dot_integer(x: Array, x_at: Number, w: Array, w_at: Number, depth: Number) -> Number:
    """Return the dot product of two rows modulo 2**32."""
    total = np.int32(0)
    for k in range(depth):
        total = np.int32(total + np.int32(x[x_at + k]) * np.int32(w[w_at + k]))
    return np.int64(total)


@helper
def dot_wide(x: Array, x_at: Number, w: Array, w_at: Number, depth: Number) -> Number:
    """Return the dot product of an int16 and an int8 or int16 row in int64; a product fits in int32."""
    total = np.int64(0)
    for k in range(depth):
        total += np.int64(np.int32(x[x_at + k]) * np.int32(w[w_at + k]))
    return total


@helper
def row_sum(x: Array, x_at: Number, depth: Number) -> Number:
    """Return the sum of a row modulo 2**32."""
    total = np.int32(0)
    for k in range(depth):
        total = np.int32(total + np.int32(x[x_at + k]))
    return np.int64(total)


@helper
def gather_patches(
    x: Array, patches: Array, p: Array, batch: Number, row: Number, group: Number, padding: Number
) -> Number:
    """Copy the windows of one output row, one after the other; cells outside the input become `padding`."""
    per_group = p[3] // p[15]
    at = np.int64(0)
    for column in range(p[5]):
        for i in range(p[7]):
            y = row * p[9] - p[13] + i * p[11]
            for j in range(p[8]):
                z = column * p[10] - p[14] + j * p[12]
                if 0 <= y < p[1] and 0 <= z < p[2]:
                    start = ((batch * p[1] + y) * p[2] + z) * p[3] + group * per_group
                    for c in range(per_group):
                        patches[at + c] = x[start + c]
                else:
                    for c in range(per_group):
                        patches[at + c] = padding
                at += per_group


@kernel
def conv_float(x: Array, w: Array, bias: Array, out: Array, patches: Array, bounds: Array, p: Array) -> None:
    """Convolve float32: one dot product of window and filter per output."""
    depth, per_group = p[7] * p[8] * (p[3] // p[15]), p[6] // p[15]
    for line in range(p[0] * p[4]):
        for group in range(p[15]):
            gather_patches(x, patches, p, line // p[4], line % p[4], group, np.float32(0))
            for column in range(p[5]):
                base = (line * p[5] + column) * p[6]
                for o in range(group * per_group, (group + 1) * per_group):
                    value = dot_float(patches, column * depth, w, o * depth, depth) + bias[o]
                    value = bounds[0] if value < bounds[0] else value
                    out[base + o] = bounds[1] if value > bounds[1] else value


@kernel
def conv_narrow(
    x: Array, w: Array, bias: Array, factor: Array, shift: Array, out: Array, patches: Array, p: Array
) -> None:
    """Convolve 8-bit integers; bias is folded, factor and shift are per output channel."""
    depth, per_group = p[7] * p[8] * (p[3] // p[15]), p[6] // p[15]
    for line in range(p[0] * p[4]):
        for group in range(p[15]):
            gather_patches(x, patches, p, line // p[4], line % p[4], group, p[16])
            for column in range(p[5]):
                base, at = (line * p[5] + column) * p[6], column * depth
                extra = row_sum(patches, at, depth) * p[17] if p[17] != 0 else np.int64(0)
                for o in range(group * per_group, (group + 1) * per_group):
                    total = wrap32(dot_integer(patches, at, w, o * depth, depth) + bias[o] - extra)
                    out[base + o] = clamp(rescale(total, factor[o], shift[o]) + p[18], p[19], p[20])


@kernel
def conv_wide(
    x: Array, w: Array, bias: Array, factor: Array, shift: Array, out: Array, patches: Array, p: Array
) -> None:
    """Convolve int16 with int8 weights: 64-bit sums, or 32-bit ones where the bias is int32."""
    depth, per_group = p[7] * p[8] * (p[3] // p[15]), p[6] // p[15]
    for line in range(p[0] * p[4]):
        for group in range(p[15]):
            gather_patches(x, patches, p, line // p[4], line % p[4], group, np.int16(0))
            for column in range(p[5]):
                base = (line * p[5] + column) * p[6]
                for o in range(group * per_group, (group + 1) * per_group):
                    total = dot_wide(patches, column * depth, w, o * depth, depth) + bias[o]
                    value = rescale_sum(total, factor[o], shift[o], p[21])
                    out[base + o] = clamp(value, p[19], p[20])


@kernel
def dense_float(x: Array, w: Array, bias: Array, out: Array, bounds: Array, p: Array) -> None:
    """Multiply rows of x with rows of w. p: rows, outputs, depth."""
    for row in range(p[0]):
        for o in range(p[1]):
            value = dot_float(x, row * p[2], w, o * p[2], p[2]) + bias[o]
            value = bounds[0] if value < bounds[0] else value
            out[row * p[1] + o] = bounds[1] if value > bounds[1] else value


@kernel
def dense_narrow(x: Array, w: Array, bias: Array, factor: Array, shift: Array, out: Array, p: Array) -> None:
    """Multiply rows of 8-bit integers. p: rows, outputs, depth, zero point of w, of out, lowest, highest."""
    for row in range(p[0]):
        extra = row_sum(x, row * p[2], p[2]) * p[3] if p[3] != 0 else np.int64(0)
        for o in range(p[1]):
            total = wrap32(dot_integer(x, row * p[2], w, o * p[2], p[2]) + bias[o] - extra)
            out[row * p[1] + o] = clamp(rescale(total, factor[o], shift[o]) + p[4], p[5], p[6])


@kernel
def dense_wide(x: Array, w: Array, bias: Array, factor: Array, shift: Array, out: Array, p: Array) -> None:
    """Multiply rows of int16 with int8 weights. p as dense_narrow, then whether sums have 64 bits."""
    for row in range(p[0]):
        for o in range(p[1]):
            total = dot_wide(x, row * p[2], w, o * p[2], p[2]) + bias[o]
            value = rescale_sum(total, factor[o], shift[o], p[7])
            out[row * p[1] + o] = clamp(value, p[5], p[6])


@summing_kernel
def depthwise_float(x: Array, w: Array, bias: Array, out: Array, total: Array, bounds: Array, p: Array) -> None:
    """Convolve each channel with its own filters: output channel o reads input channel o // (outputs // channels)."""
    multiplier = p[6] // p[3]
    for cell in range(p[0] * p[4] * p[5]):
        batch, row, column = cell // (p[4] * p[5]), cell // p[5] % p[4], cell % p[5]
        for o in range(p[6]):
            total[o] = bias[o]
        for i in range(p[7]):
            y = row * p[9] - p[13] + i * p[11]
            for j in range(p[8]):
                z = column * p[10] - p[14] + j * p[12]
                if 0 <= y < p[1] and 0 <= z < p[2]:
                    start, tap = ((batch * p[1] + y) * p[2] + z) * p[3], (i * p[8] + j) * p[6]
                    if multiplier == 1:
                        for o in range(p[6]):
                            total[o] += x[start + o] * w[tap + o]
                    else:
                        for o in range(p[6]):
                            total[o] += x[start + o // multiplier] * w[tap + o]
        for o in range(p[6]):
            value = total[o]
            value = bounds[0] if value < bounds[0] else value
            out[cell * p[6] + o] = bounds[1] if value > bounds[1] else value


@kernel
def depthwise_narrow(
    x: Array, w: Array, bias: Array, factor: Array, shift: Array, out: Array, total: Array, p: Array
) -> None:
    """Convolve each channel of 8-bit integers with its own filters; total is int32 scratch per output channel."""
    multiplier = p[6] // p[3]
    for cell in range(p[0] * p[4] * p[5]):
        batch, row, column = cell // (p[4] * p[5]), cell // p[5] % p[4], cell % p[5]
        for o in range(p[6]):
            total[o] = np.int32(bias[o])
        for i in range(p[7]):
            y = row * p[9] - p[13] + i * p[11]
            for j in range(p[8]):
                z = column * p[10] - p[14] + j * p[12]
                if 0 <= y < p[1] and 0 <= z < p[2]:
                    start, tap = ((batch * p[1] + y) * p[2] + z) * p[3], (i * p[8] + j) * p[6]
                    for o in range(p[6]):
                        c = o if multiplier == 1 else o // multiplier
                        value = (np.int32(x[start + c]) - np.int32(p[16])) * (np.int32(w[tap + o]) - np.int32(p[17]))
                        total[o] = np.int32(total[o] + value)
        for o in range(p[6]):
            value = rescale(np.int64(total[o]), factor[o], shift[o]) + p[18]
            out[cell * p[6] + o] = clamp(value, p[19], p[20])


@kernel
def depthwise_wide(
    x: Array, w: Array, bias: Array, factor: Array, shift: Array, out: Array, total: Array, p: Array
) -> None:
    """Convolve each channel of int16 with its own int8 filters; total is int64 scratch per output channel."""
    multiplier = p[6] // p[3]
    for cell in range(p[0] * p[4] * p[5]):
        batch, row, column = cell // (p[4] * p[5]), cell // p[5] % p[4], cell % p[5]
        for o in range(p[6]):
            total[o] = bias[o]
        for i in range(p[7]):
            y = row * p[9] - p[13] + i * p[11]
            for j in range(p[8]):
                z = column * p[10] - p[14] + j * p[12]
                if 0 <= y < p[1] and 0 <= z < p[2]:
                    start, tap = ((batch * p[1] + y) * p[2] + z) * p[3], (i * p[8] + j) * p[6]
                    for o in range(p[6]):
                        total[o] += np.int64(x[start + o // multiplier]) * np.int64(w[tap + o])
        for o in range(p[6]):
            value = rescale_sum(total[o], factor[o], shift[o], p[21])
            out[cell * p[6] + o] = clamp(value, p[19], p[20])
