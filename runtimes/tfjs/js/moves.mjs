/** Operators that move, cut, join and pick elements. */

import {axisOf, declined, ints, invalid, notBoolOnWasm, outOfRange, pairs, room, scalar} from "./common.mjs";

/** A size of -1 is all that is left; tf.slice takes no scalars. */
function slice(tf, [x, begin, size]) {
  if (!x.shape.length) return x;
  const starts = ints(begin);
  if (starts.length !== x.shape.length || size.size !== starts.length) {
    invalid(`${starts.length} starts and ${size.size} sizes for [${x.shape}]`);
  }
  return tf.slice(x, starts, ints(size).map((n, axis) => (n === -1 ? x.shape[axis] - starts[axis] : n)));
}

function strided(tf, [x, begin, end, strides], options) {
  return tf.stridedSlice(x, ints(begin), ints(end), ints(strides), options.begin_mask, options.end_mask,
    options.ellipsis_mask, options.new_axis_mask, options.shrink_axis_mask);
}

/** tf.oneHot wants two classes or more and puts them last: what is too much is cut off, and the axis brought home. */
function oneHot(tf, [indices, depth, on, off], options) {
  const rank = indices.shape.length, classes = scalar(depth), last = tf.range(0, rank, 1, "int32").arraySync();
  notBoolOnWasm(tf, on.dtype, "ONE_HOT");
  room([...indices.shape, classes]);
  const all = tf.oneHot(indices, Math.max(2, classes), scalar(on), scalar(off), on.dtype);
  const hot = classes < 2 ? tf.slice(all, Array(rank + 1).fill(0), [...indices.shape, classes]) : all;
  const axis = options.axis === -1 ? rank : options.axis;
  if (axis < 0 || axis > rank) invalid(`axis ${axis} for indices of rank ${rank}`);
  return axis === rank ? hot : tf.transpose(hot, [...last.slice(0, axis), rank, ...last.slice(axis)]);
}

/** Split the axes of an image into blocks, bring the parts together, join. */
function spaceToDepth(tf, [x], options) {
  const [batch, height, width, channels] = x.shape, block = options.block_size;
  if (x.shape.length !== 4 || block < 1 || height % block || width % block) {
    invalid(`[${x.shape}] in blocks of ${block}`);
  }
  const apart = tf.reshape(x, [batch, height / block, block, width / block, block, channels]);
  const shape = [batch, height / block, width / block, block * block * channels];
  return tf.reshape(tf.transpose(apart, [0, 1, 3, 2, 4, 5]), shape);
}

function splitV(tf, [x, sizes, axis], options) {
  const along = axisOf(scalar(axis), x.shape.length), parts = ints(sizes);
  if (parts.length !== options.num_splits) invalid(`${parts.length} sizes of ${options.num_splits} parts`);
  const known = parts.filter((n) => n !== -1).reduce((a, b) => a + b, 0);
  return tf.split(x, parts.map((n) => (n === -1 ? x.shape[along] - known : n)), along);
}

function split(tf, [axis, x], options) {
  return tf.split(x, options.num_splits, axisOf(scalar(axis), x.shape.length));
}

function topk(tf, [x, k]) {
  const {values, indices} = tf.topk(x, scalar(k), true);
  return [values, indices];
}

function unique(tf, [x]) {
  if (x.shape.length !== 1) invalid(`UNIQUE of rank ${x.shape.length}, want 1`);
  const {values, indices} = tf.unique(x);
  return [values, indices];
}

function padded(tf, [x, pads, value]) {
  const sizes = pairs(pads);
  if (sizes.length !== x.shape.length) invalid(`${sizes.length} pairs of paddings for rank ${x.shape.length}`);
  room(x.shape.map((size, axis) => size + sizes[axis][0] + sizes[axis][1]));
  return tf.pad(x, sizes, value ? scalar(value) : 0);
}

function squeezed(tf, [x], options) {
  const axes = (options.squeeze_dims ?? []).map((axis) => axisOf(axis, x.shape.length));
  return tf.squeeze(x, axes.length ? axes : undefined);
}

function reversed(tf, [x, axes]) {
  notBoolOnWasm(tf, x.dtype, "REVERSE_V2");
  const along = ints(axes).map((axis) => axisOf(axis, x.shape.length));
  if (new Set(along).size !== along.length) invalid(`axes ${along} are not different`);
  return tf.reverse(x, along);
}

function transposed(tf, [x, order]) {
  const axes = ints(order).map((axis) => axisOf(axis, x.shape.length));
  const rank = x.shape.length;
  if (new Set(axes).size !== rank || axes.length !== rank) invalid(`${axes} are not all axes of [${x.shape}]`);
  return tf.transpose(x, axes);
}

function range(tf, [start, limit, delta]) {
  const [first, end, step] = [start, limit, delta].map(scalar);
  room([Math.max(0, Math.ceil((end - first) / step)) || 0]);
  return tf.range(first, end, step, start.dtype);
}

function concatenated(tf, inputs, options) {
  return tf.concat(inputs, axisOf(options.axis, inputs[0].shape.length));
}

function packed(tf, inputs, options) {
  if (options.values_count !== inputs.length) invalid(`${inputs.length} inputs, PACK says ${options.values_count}`);
  return tf.stack(inputs, axisOf(options.axis, inputs[0].shape.length + 1));
}

function unpacked(tf, [x], options) {
  const axis = axisOf(options.axis, x.shape.length);
  if (options.num !== x.shape[axis]) invalid(`an axis of ${x.shape[axis]}, UNPACK says ${options.num}`);
  return tf.unstack(x, axis);
}

function tiled(tf, [x, times]) {
  const counts = ints(times);
  room(x.shape.map((size, axis) => size * counts[axis]));
  return tf.tile(x, counts);
}

function lookedUp(tf, [ids, table]) {
  if (ids.shape.length !== 1) invalid(`rows are asked for by a vector, not by [${ids.shape}]`);
  return tf.gather(table, ids);
}

/** A condition of one axis picks rows. */
function select(tf, [condition, a, b]) {
  notBoolOnWasm(tf, a.dtype, "SELECT");
  const rows = condition.shape.length === 1 && a.shape.length > 1;
  if (![[], a.shape.slice(0, 1), a.shape].some((shape) => shape.join() === condition.shape.join())) {
    invalid(`a condition of [${condition.shape}] for [${a.shape}]`);
  }
  return tf.where(rows ? tf.reshape(condition, [condition.size, ...a.shape.slice(1).fill(1)]) : condition, a, b);
}

/** Put `steps - 1` values of `fill` between neighbours, axis by axis: add them to each, then cut off the last. */
function dilated(tf, [x, steps, fill]) {
  return ints(steps).reduce((y, step, axis) => {
    if (step < 1) invalid(`a dilation of ${step}`);
    const [before, size, after] = [y.shape.slice(0, axis), y.shape[axis], y.shape.slice(axis + 1)];
    const flat = [before, after].map((shape) => shape.reduce((a, b) => a * b, 1));
    const between = tf.fill([flat[0], size, step - 1, flat[1]], scalar(fill), y.dtype);
    const apart = tf.concat([tf.reshape(y, [flat[0], size, 1, flat[1]]), between], 2);
    const long = tf.reshape(apart, [flat[0], size * step, flat[1]]), spread = Math.max(0, (size - 1) * step + 1);
    return tf.reshape(tf.slice(long, [0, 0, 0], [flat[0], spread, flat[1]]), [...before, spread, ...after]);
  }, x);
}

/** Where the update lies, it is taken; a start that leaves no room for it is moved. */
function updated(tf, [x, update, start]) {
  if (x.dtype === "bool") { // tf.where of bools: see notBoolOnWasm
    return tf.cast(updated(tf, [tf.cast(x, "int32"), tf.cast(update, "int32"), start]), "bool");
  }
  const rank = x.shape.length;
  if (start.size !== rank || update.shape.length !== rank || update.shape.some((size, axis) => size > x.shape[axis])) {
    invalid(`[${update.shape}] at ${start.size} places of [${x.shape}]`);
  }
  const pads = ints(start).map((n, axis) => {
    const left = x.shape[axis] - update.shape[axis], before = Math.min(Math.max(n, 0), left);
    return [before, left - before];
  });
  return tf.where(tf.pad(tf.ones(update.shape, "bool"), pads), tf.pad(update, pads), x);
}

function sparse(tf, [indices, to, values, rest]) {
  scalar(rest);
  return tf.sparseToDense(indices, values, room(ints(to)), rest);
}

const eye = (tf, rows, columns) => tf.cast(tf.eye(rows, columns), "bool");

function matrixDiag(tf, [x]) {
  const size = x.shape.at(-1);
  if (!x.size) return tf.zeros([...x.shape, size], x.dtype);
  return tf.where(eye(tf, size, size), tf.expandDims(x, -2), tf.zeros([], x.dtype));
}

/** The diagonal as a row, as long as the matrix is wide, stands where row and column are the same. */
function matrixSetDiag(tf, [x, diagonal]) {
  const [rows, columns] = x.shape.slice(-2), missing = columns - diagonal.shape.at(-1);
  const want = [...x.shape.slice(0, -2), Math.min(rows, columns)];
  if (diagonal.shape.join() !== want.join()) {
    invalid(`the diagonal of [${x.shape}] is [${want}], not [${diagonal.shape}]`);
  }
  if (!x.size) return x;
  const row = tf.pad(diagonal, diagonal.shape.map((_, axis) => [0, axis === diagonal.shape.length - 1 ? missing : 0]));
  return tf.where(eye(tf, rows, columns), tf.expandDims(row, -2), x);
}

/** The first elements of each sequence in reverse, picked as rows of all sequences behind each other. */
function reverseSequence(tf, [x, lengths], options) {
  const rank = x.shape.length, along = axisOf(options.seq_dim, rank), batch = axisOf(options.batch_dim, rank);
  const size = x.shape[along], counts = ints(lengths);
  if (along === batch || counts.length !== x.shape[batch]) {
    invalid(`${counts.length} lengths for axis ${batch} of [${x.shape}]`);
  }
  if (counts.some((n) => n < 0 || n > size)) outOfRange(`lengths ${counts} of sequences of ${size}`);
  const order = [batch, along, ...x.shape.keys()].filter((axis, n) => n < 2 || (axis !== batch && axis !== along));
  const turned = (n, row) => Array.from({length: size}, (_, at) => row * size + (at < n ? n - 1 - at : at));
  const picks = counts.flatMap(turned);
  const sequences = tf.transpose(x, order), rows = tf.reshape(sequences, [picks.length, x.size / picks.length]);
  const found = tf.reshape(tf.gather(rows, tf.tensor1d(picks, "int32")), sequences.shape);
  return tf.transpose(found, order.map((_, axis) => order.indexOf(axis)));
}

function shapeOf(tf, [x], options) {
  if (options.out_type !== "int32") return declined(`${options.out_type} outputs of SHAPE`);
  return tf.tensor1d(x.shape, "int32");
}

/** Kernels by operator. */
export const KERNELS = {
  BATCH_TO_SPACE_ND: (tf, [x, block, crops]) => tf.batchToSpaceND(x, ints(block), pairs(crops)),
  BROADCAST_ARGS: (tf, [a, b]) => tf.broadcastArgs(a, b),
  BROADCAST_TO: (tf, [x, to]) => tf.broadcastTo(x, room(ints(to))),
  CONCATENATION: concatenated,
  DEPTH_TO_SPACE: (tf, [x], options) => tf.depthToSpace(x, options.block_size),
  DILATE: dilated,
  DYNAMIC_UPDATE_SLICE: updated,
  EMBEDDING_LOOKUP: lookedUp,
  EXPAND_DIMS: (tf, [x, axis]) => tf.expandDims(x, axisOf(scalar(axis), x.shape.length + 1)),
  FILL: (tf, [dims, value]) => tf.fill(room(ints(dims)), scalar(value), value.dtype),
  GATHER: (tf, [x, indices], options) => tf.gather(x, indices, options.axis, options.batch_dims),
  GATHER_ND: (tf, [x, indices]) => tf.gatherND(x, indices),
  MATRIX_DIAG: matrixDiag,
  MATRIX_SET_DIAG: matrixSetDiag,
  MIRROR_PAD: (tf, [x, pads], options) => tf.mirrorPad(x, pairs(pads), options.mode.toLowerCase()),
  ONE_HOT: oneHot,
  PACK: packed,
  PAD: padded,
  PADV2: padded,
  RANGE: range,
  RANK: (tf, [x]) => tf.scalar(x.shape.length, "int32"),
  RESHAPE: (tf, [x, to], options) => tf.reshape(x, to ? ints(to) : options.new_shape),
  REVERSE_SEQUENCE: reverseSequence,
  REVERSE_V2: reversed,
  SCATTER_ND: (tf, [indices, updates, to]) => tf.scatterND(indices, updates, room(ints(to))),
  SELECT: select,
  SHAPE: shapeOf,
  SLICE: slice,
  SPACE_TO_BATCH_ND: (tf, [x, block, pads]) => tf.spaceToBatchND(x, ints(block), pairs(pads)),
  SPACE_TO_DEPTH: spaceToDepth,
  SPARSE_TO_DENSE: sparse,
  SPLIT: split,
  SPLIT_V: splitV,
  SQUEEZE: squeezed,
  STRIDED_SLICE: strided,
  TILE: tiled,
  TOPK_V2: topk,
  TRANSPOSE: transposed,
  UNIQUE: unique,
  UNPACK: unpacked,
};
