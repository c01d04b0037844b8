/** Operators that move, cut, join and pick elements. */

import {declined, ints} from "./common.mjs";

const positive = (axis, rank) => (axis < 0 ? axis + rank : axis);

/** Pairs of a [rank, 2] tensor. */
function pairs(x) {
  const flat = ints(x);
  return Array.from({length: flat.length / 2}, (_, n) => [flat[2 * n], flat[2 * n + 1]]);
}

/** A size of -1 is all that is left. */
function slice(tf, [x, begin, size]) {
  const starts = ints(begin);
  return tf.slice(x, starts, ints(size).map((n, axis) => (n === -1 ? x.shape[axis] - starts[axis] : n)));
}

function strided(tf, [x, begin, end, strides], options) {
  return tf.stridedSlice(x, ints(begin), ints(end), ints(strides), options.begin_mask, options.end_mask,
    options.ellipsis_mask, options.new_axis_mask, options.shrink_axis_mask);
}

function oneHot(tf, [indices, depth, on, off], options) {
  if (options.axis !== -1 && options.axis !== indices.shape.length) return declined("ONE_HOT along an inner axis");
  return tf.oneHot(indices, depth.dataSync()[0], on.dataSync()[0], off.dataSync()[0], on.dtype);
}

/** Blocks become channels: split both axes, bring the halves together, join. */
function spaceToDepth(tf, [x], options) {
  const [batch, height, width, channels] = x.shape, block = options.block_size;
  if (x.shape.length !== 4 || height % block || width % block) throw new RangeError(`${x.shape} in blocks of ${block}`);
  const apart = tf.reshape(x, [batch, height / block, block, width / block, block, channels]);
  const shape = [batch, height / block, width / block, block * block * channels];
  return tf.reshape(tf.transpose(apart, [0, 1, 3, 2, 4, 5]), shape);
}

function splitV(tf, [x, sizes, axis]) {
  const along = positive(axis.dataSync()[0], x.shape.length), parts = ints(sizes);
  const known = parts.filter((n) => n !== -1).reduce((a, b) => a + b, 0);
  return tf.split(x, parts.map((n) => (n === -1 ? x.shape[along] - known : n)), along);
}

function topk(tf, [x, k], options, node) {
  if (node.dtypes[1] !== "int32") return declined(`${node.dtypes[1]} indices of TOPK_V2`);
  const {values, indices} = tf.topk(x, k.dataSync()[0], true);
  return [values, indices];
}

function unique(tf, [x], options, node) {
  if (node.dtypes[1] !== "int32") return declined(`${node.dtypes[1]} indices of UNIQUE`);
  const {values, indices} = tf.unique(x);
  return [values, indices];
}

function shape(tf, [x], options) {
  if (options.out_type !== "int32") return declined(`${options.out_type} outputs of SHAPE`);
  return tf.tensor1d(x.shape, "int32");
}

function padded(tf, [x, pads, value]) {
  return tf.pad(x, pairs(pads), value ? value.dataSync()[0] : 0);
}

function squeezed(tf, [x], options) {
  const axes = options.squeeze_dims;
  return tf.squeeze(x, axes && axes.length ? axes.map((axis) => positive(axis, x.shape.length)) : undefined);
}

function range(tf, [start, limit, delta]) {
  return tf.range(start.dataSync()[0], limit.dataSync()[0], delta.dataSync()[0], start.dtype);
}

export const KERNELS = {
  BATCH_TO_SPACE_ND: (tf, [x, block, crops]) => tf.batchToSpaceND(x, ints(block), pairs(crops)),
  BROADCAST_TO: (tf, [x, to]) => tf.broadcastTo(x, ints(to)),
  CONCATENATION: (tf, inputs, options) => tf.concat(inputs, options.axis),
  DEPTH_TO_SPACE: (tf, [x], options) => tf.depthToSpace(x, options.block_size),
  EMBEDDING_LOOKUP: (tf, [ids, table]) => tf.gather(table, ids),
  EXPAND_DIMS: (tf, [x, axis]) => tf.expandDims(x, axis.dataSync()[0]),
  FILL: (tf, [dims, value]) => tf.fill(ints(dims), value.dataSync()[0], value.dtype),
  GATHER: (tf, [x, indices], options) => tf.gather(x, indices, options.axis, options.batch_dims),
  GATHER_ND: (tf, [x, indices]) => tf.gatherND(x, indices),
  MIRROR_PAD: (tf, [x, pads], options) => tf.mirrorPad(x, pairs(pads), options.mode.toLowerCase()),
  ONE_HOT: oneHot,
  PACK: (tf, inputs, options) => tf.stack(inputs, options.axis),
  PAD: padded,
  PADV2: padded,
  RANGE: range,
  RANK: (tf, [x]) => tf.scalar(x.shape.length, "int32"),
  RESHAPE: (tf, [x, to], options) => tf.reshape(x, to ? ints(to) : options.new_shape),
  REVERSE_V2: (tf, [x, axes]) => tf.reverse(x, ints(axes)),
  SCATTER_ND: (tf, [indices, updates, to]) => tf.scatterND(indices, updates, ints(to)),
  SHAPE: shape,
  SLICE: slice,
  SPACE_TO_BATCH_ND: (tf, [x, block, pads]) => tf.spaceToBatchND(x, ints(block), pairs(pads)),
  SPACE_TO_DEPTH: spaceToDepth,
  SPARSE_TO_DENSE: (tf, [indices, to, values, rest]) => tf.sparseToDense(indices, values, ints(to), rest),
  SPLIT: (tf, [axis, x], options) => tf.split(x, options.num_splits, axis.dataSync()[0]),
  SPLIT_V: splitV,
  SQUEEZE: squeezed,
  STRIDED_SLICE: strided,
  TILE: (tf, [x, times]) => tf.tile(x, ints(times)),
  TOPK_V2: topk,
  TRANSPOSE: (tf, [x, order]) => tf.transpose(x, ints(order).map((axis) => positive(axis, x.shape.length))),
  UNIQUE: unique,
  UNPACK: (tf, [x], options) => tf.unstack(x, options.axis),
};
