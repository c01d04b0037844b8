"""Ops that pick rows: GATHER_ND, EMBEDDING_LOOKUP, EMBEDDING_LOOKUP_SPARSE, HASHTABLE_LOOKUP."""

from __future__ import annotations

import math

import numpy as np

from opconform.harness.model import Array
from opconform.harness.schema import ENUMS
from opconform.runtimes.lite import half, shapes
from opconform.runtimes.lite.graph import Memory, Node, Operand, Prepared, Step
from opconform.runtimes.lite.jit import Number, bind, kernel
from opconform.runtimes.lite.kernels.indexed import gather
from opconform.runtimes.lite.quantize import INT16, check_scales, same_quantization

_INT32, _INT64, _FLOAT = (np.dtype(t) for t in (np.int32, np.int64, np.float32))


@kernel
def gather_nd(x: Array, rows: Array, out: Array, p: Array, status: Array) -> None:
    """Copy slices of bytes. p: rows, coordinates in a row, bytes of a slice, then the extents.

    status[0] counts rows outside the extents; their slices are left alone.
    """
    depth, width = p[1], p[2]
    status[0] = 0
    for i in range(p[0]):
        at, inside = np.int64(0), True
        for d in range(depth):
            place = np.int64(rows[i * depth + d])
            inside = inside and 0 <= place < p[3 + d]
            at = at * p[3 + d] + place
        if not inside:
            status[0] += 1
            continue
        for k in range(width):
            out[i * width + k] = x[at * width + k]


@kernel
def gather_real(table: Array, ids: Array, scale: Array, out: Array, p: Array, status: Array) -> None:
    """Pick rows of integers and multiply them by their scale. p: ids, rows, elements of a row, step between scales."""
    width = p[2]
    status[0] = 0
    for i in range(p[0]):
        row = np.int64(ids[i])
        if row < 0 or row >= p[1]:
            status[0] += 1
            continue
        factor = scale[row * p[3]]
        for k in range(width):
            out[i * width + k] = np.float32(table[row * width + k]) * factor


@kernel
def gather_weighted(
    ids: Array, places: Array, weights: Array, table: Array, out: Array, divisor: Array, p: Array, status: Array
) -> None:
    """Add weighted rows at all but the last coordinate of their places, then divide.

    p: ids, rows, elements of a row, combiner (0 sum, 1 mean, 2 by the root of squares), cells, coordinates, extents.
    status[0] counts ids and places that are outside.
    """
    width, depth = p[2], p[5]
    status[0] = 0
    for c in range(p[4]):
        divisor[c] = 0
        for k in range(width):
            out[c * width + k] = 0
    for i in range(p[0]):
        row = np.int64(ids[i])
        cell: Number = np.int64(0)
        inside = 0 <= row < p[1]
        for d in range(depth):
            place = np.int64(places[i * depth + d])
            inside = inside and 0 <= place < p[6 + d]
            if d < depth - 1:
                cell = cell * p[6 + d] + place
        if not inside:
            status[0] += 1
            continue
        weight = weights[i]
        divisor[cell] += weight * weight if p[3] == 2 else weight
        for k in range(width):
            out[cell * width + k] += weight * table[row * width + k]
    for c in range(p[4] if p[3] != 0 else 0):
        total = np.sqrt(divisor[c]) if p[3] == 2 else divisor[c]
        for k in range(width if total != 0 else 0):
            out[c * width + k] /= total


@kernel
def find(lookup: Array, keys: Array, table: Array, out: Array, hits: Array, p: Array) -> None:
    """Copy the bytes of each key's entry, zeros where there is none. p: keys asked for, entries, bytes of an entry."""
    width = p[2]
    for i in range(p[0]):
        low, high = np.int64(0), np.int64(p[1])
        while low < high:
            middle = np.int64((low + high) // 2)
            if keys[middle] < lookup[i]:
                low = np.int64(middle + 1)
            else:
                high = middle
        found = low < p[1] and keys[low] == lookup[i]
        hits[i] = 1 if found else 0
        for k in range(width):
            out[i * width + k] = table[low * width + k] if found else 0


def _bytes(flat: Array) -> Array:
    return flat.view(np.uint8)


def _checked(node: Node, step: Step, status: Array, what: str) -> Step:
    def run() -> None:
        step()
        if status[0]:
            raise node.invalid(f"{status[0]} {what}")

    return run


def _vector(node: Node, index: int, what: str) -> Operand:
    operand = node.input(index)
    fits = operand.dtype == _INT32 and len(operand.shape) == 1
    node.require(fits, f"{what} of {operand.dtype}{list(operand.shape)}; a vector of int32 is allowed")
    return operand


def prepare_gather_nd(node: Node) -> Prepared:
    """Prepare GATHER_ND: rows of coordinates pick slices of any type."""
    x, rows, out = node.input(0), node.input(1), node.output()
    if x.dtype != out.dtype or rows.dtype not in (INT16, _INT32, _INT64):
        raise node.invalid(f"dtypes {x.dtype}, {rows.dtype} -> {out.dtype}; T, int32 -> T is allowed")
    same_quantization(node, x, out)
    node.require(len(x.shape) > 0 and len(rows.shape) > 0, "indices and data have one axis at least")
    depth = rows.shape[-1]
    node.require(depth <= len(x.shape), f"rows of {depth} coordinates for {list(x.shape)}")
    rest = x.shape[depth:]
    p = np.array([math.prod(rows.shape[:-1]), depth, math.prod(rest) * x.dtype.itemsize, *x.shape[:depth]], np.int64)

    def build(m: Memory) -> Step:
        status = np.zeros(1, np.int64)
        step = bind(gather_nd, _bytes(m.inputs[0]), m.inputs[1], _bytes(m.outputs[0]), p, status)
        return _checked(node, step, status, f"rows of indices lie outside of {list(x.shape[:depth])}")

    return Prepared(((*rows.shape[:-1], *rest),), build)


def prepare_embedding_lookup(node: Node) -> Prepared:
    """Prepare EMBEDDING_LOOKUP: rows of one type, or of integers of 8 or 4 bits that become real numbers."""
    ids, table, out = _vector(node, 0, "ids"), node.input(1), node.output()
    node.require(len(table.shape) > 1, f"a table of {list(table.shape)}; entries are rows, rank 2 at least is allowed")
    shape = (*ids.shape, *table.shape[1:])
    what = f"ids lie outside of the table's {table.shape[0]} rows"
    if out.dtype == np.float16 and table.dtype != out.dtype:
        return half.narrowed(node, _real_rows(half.widened(node), shape, what))
    if table.dtype != out.dtype:
        return _real_rows(node, shape, what)
    same_quantization(node, table, out)
    p = np.array([1, 1, table.shape[0], ids.size, math.prod(table.shape[1:]) * table.dtype.itemsize], np.int64)

    def build(m: Memory) -> Step:
        status = np.zeros(1, np.int64)
        step = bind(gather, _bytes(m.inputs[1]), m.inputs[0], _bytes(m.outputs[0]), p, status)
        return _checked(node, step, status, what)

    return Prepared((shape,), build)


def _real_rows(node: Node, shape: tuple[int, ...], what: str) -> Prepared:
    ids, table, out = node.input(0), node.input(1), node.output()
    if out.dtype != _FLOAT or table.dtype not in (np.dtype(np.int8), np.dtype(np.uint8)):
        raise node.invalid(f"a table of {table.dtype} for {out.dtype}; equal ones, or int8 and float32 are allowed")
    check_scales(node, table)
    quantization = table.quantization
    assert quantization is not None  # check_scales has seen it
    fits = len(quantization.scale) == 1 or (quantization.axis == 0 and len(quantization.scale) == table.shape[0])
    node.require(fits and not any(quantization.zero_point), "a table has one scale, or one for each row, around 0")
    scale = np.array(quantization.scale, np.float32)
    p = np.array([ids.size, table.shape[0], math.prod(table.shape[1:]), int(len(scale) > 1)], np.int64)

    def build(m: Memory) -> Step:
        status = np.zeros(1, np.int64)
        step = bind(gather_real, m.inputs[1], m.inputs[0], scale, m.outputs[0], p, status)
        return _checked(node, step, status, what)

    return Prepared((shape,), build)


def prepare_embedding_lookup_sparse(node: Node) -> Prepared:
    """Prepare EMBEDDING_LOOKUP_SPARSE: the dense shape says how many cells there are."""
    ids, places, weights, table = _vector(node, 0, "ids"), node.input(1), node.input(3), node.input(4)
    dense = tuple(shapes.values(node, _vector(node, 2, "the dense shape")))
    node.require(all(extent >= 0 for extent in dense) and len(dense) > 0, f"the dense shape {list(dense)}")
    node.require(weights.dtype == table.dtype == node.output().dtype == _FLOAT, "weights and table are float32")
    node.require(places.dtype == _INT32, f"indices of {places.dtype}; int32 is allowed")
    fits = places.shape == (ids.size, len(dense)) and weights.shape == ids.shape
    node.require(fits, f"{ids.size} ids, indices of {list(places.shape)} and weights of {list(weights.shape)}")
    node.require(len(table.shape) > 1, f"a table of {list(table.shape)}; entries are rows, rank 2 at least is allowed")
    combiner, cells = node.options.number("combiner"), math.prod(dense[:-1])
    node.require(0 <= combiner < len(ENUMS["combiner"]), f"combiner {combiner}; 0 to 2 is allowed")
    width = math.prod(table.shape[1:])
    p = np.array([ids.size, table.shape[0], width, combiner, cells, len(dense), *dense], np.int64)

    def build(m: Memory) -> Step:
        status = np.zeros(1, np.int64)
        ids, places, _, weights, table = m.inputs
        divisor = m.scratch[0].view(np.float32)
        step = bind(gather_weighted, ids, places, weights, table, m.outputs[0], divisor, p, status)
        return _checked(node, step, status, f"ids or indices lie outside of the table or of {list(dense)}")

    return Prepared(((*dense[:-1], *table.shape[1:]),), build, (4 * cells,))


def prepare_hashtable_lookup(node: Node) -> Prepared:
    """Prepare HASHTABLE_LOOKUP: keys ascend; entries of any type."""
    lookup, keys, table = _vector(node, 0, "what is looked up"), _vector(node, 1, "keys"), node.input(2)
    node.require(len(node.outputs) == 2, f"{len(node.outputs)} outputs, 2 are allowed")
    out, hits = node.outputs
    node.require(table.dtype == out.dtype, f"a table of {table.dtype} for {out.dtype}")
    node.require(hits.dtype == np.uint8, f"hits of {hits.dtype}; uint8 is allowed")
    node.require(table.shape[:1] == keys.shape, f"{keys.size} keys for a table of {list(table.shape)}")
    p = np.array([lookup.size, keys.size, math.prod(table.shape[1:]) * table.dtype.itemsize], np.int64)

    def build(m: Memory) -> Step:
        return bind(find, m.inputs[0], m.inputs[1], _bytes(m.inputs[2]), _bytes(m.outputs[0]), m.outputs[1], p)

    return Prepared(((*lookup.shape, *table.shape[1:]), lookup.shape), build)
