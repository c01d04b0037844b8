"""A delegate that runs chains of float32 FULLY_CONNECTED and CONV_2D as matrix products of NumPy's BLAS."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import as_strided

from opconform.harness.model import Array
from opconform.runtimes.lite import shapes
from opconform.runtimes.lite.delegate import DelegatedNode
from opconform.runtimes.lite.graph import Node, Step
from opconform.runtimes.lite.kernels.layout import in_order
from opconform.runtimes.lite.quantize import float_range


@dataclass(frozen=True, slots=True)
class Blas:
    """The delegate of the variant lite@blas."""

    name: str = "blas"

    def takes(self, node: Node) -> bool:
        """Take float32 layers without groups whose weights are constants."""
        if node.op not in ("FULLY_CONNECTED", "CONV_2D"):
            return False
        x, w, bias = node.inputs[0], node.inputs[1], node.optional(2)
        if x is None or w is None or not x.dtype == w.dtype == np.float32 or w.data is None or 0 in x.shape:
            return False
        if bias is not None and (bias.dtype != np.float32 or bias.data is None):
            return False
        return node.op == "FULLY_CONNECTED" or x.shape[-1] == w.shape[-1]

    def compile(self, nodes: Sequence[DelegatedNode]) -> Step:
        """Return the products of one part, one after the other."""
        return in_order([_dense(entry) if entry.node.op == "FULLY_CONNECTED" else _conv(entry) for entry in nodes])


def _dense(entry: DelegatedNode) -> Step:
    weights = entry.memory.inputs[1].reshape(entry.node.input(1).shape)
    rows = entry.memory.inputs[0].reshape(-1, weights.shape[1])
    return _product(entry, rows, weights)


def _product(entry: DelegatedNode, rows: Array, weights: Array) -> Step:
    """Return the step out = clamp(rows @ weights.T + bias)."""
    low, high = (np.float32(bound) for bound in float_range(entry.node))
    out = entry.memory.outputs[0].reshape(len(rows), len(weights))
    bias = entry.memory.inputs[2] if entry.node.optional(2) is not None else np.float32(0)
    columns = weights.T

    def run() -> None:
        np.matmul(rows, columns, out=out)
        np.add(out, bias, out=out)
        if low > -np.inf:
            np.maximum(out, low, out=out)
        if high < np.inf:
            np.minimum(out, high, out=out)

    return run


def _conv(entry: DelegatedNode) -> Step:
    node, number = entry.node, entry.node.options.number
    batch, height, width, channels = node.input(0).shape
    outputs, filter_h, filter_w, _ = node.input(1).shape
    step_h, step_w, gap_h, gap_w = (number(n) for n in ("stride_h", "stride_w", "dilation_h", "dilation_w"))
    same = number("padding") == 0
    rows, top = shapes.window(node, height, filter_h, step_h, gap_h, same)
    columns, left = shapes.window(node, width, filter_w, step_w, gap_w, same)
    full_h = max(height + top, (rows - 1) * step_h + (filter_h - 1) * gap_h + 1)
    full_w = max(width + left, (columns - 1) * step_w + (filter_w - 1) * gap_w + 1)
    padded = np.zeros((batch, full_h, full_w, channels), np.float32)
    inside = padded[:, top : top + height, left : left + width]
    source = entry.memory.inputs[0].reshape(node.input(0).shape)
    b, h, w, c = padded.strides
    windows = as_strided(
        padded,
        (batch, rows, columns, filter_h, filter_w, channels),
        (b, h * step_h, w * step_w, h * gap_h, w * gap_w, c),
    )
    patches = np.empty(windows.shape, np.float32)
    depth = filter_h * filter_w * channels
    weights = entry.memory.inputs[1].reshape(outputs, depth)
    product = _product(entry, patches.reshape(math.prod(windows.shape[:3]), depth), weights)

    def run() -> None:
        np.copyto(inside, source)
        np.copyto(patches, windows)
        product()

    return run
