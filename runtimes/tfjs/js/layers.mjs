/** Layers: convolutions, pooling, products of matrices, normalization, resizing, segments, random numbers. */

import {declined} from "./common.mjs";
import {activated} from "./elementwise.mjs";

const padding = (options) => options.padding.toLowerCase();

function finished(tf, y, bias, options) {
  return activated(tf, bias ? tf.add(y, bias) : y, options.activation);
}

/** Filters come as [out, h, w, in]. */
function conv2d(tf, [x, weights, bias], options) {
  const filter = tf.transpose(weights, [1, 2, 3, 0]);
  const strides = [options.stride_h, options.stride_w], dilations = [options.dilation_h, options.dilation_w];
  return finished(tf, tf.conv2d(x, filter, strides, padding(options), "NHWC", dilations), bias, options);
}

/** Filters come as [1, h, w, in * multiplier]. */
function depthwise(tf, [x, weights, bias], options) {
  const [, height, width, out] = weights.shape, channels = x.shape[3];
  const filter = tf.reshape(weights, [height, width, channels, out / channels]);
  const strides = [options.stride_h, options.stride_w], dilations = [options.dilation_h, options.dilation_w];
  return finished(tf, tf.depthwiseConv2d(x, filter, strides, padding(options), "NHWC", dilations), bias, options);
}

/** Inputs are the output's shape, filters [out, h, w, in], the input, and perhaps a bias. */
function transposeConv(tf, [shape, weights, x, bias], options) {
  const filter = tf.transpose(weights, [1, 2, 0, 3]), strides = [options.stride_h, options.stride_w];
  const y = tf.conv2dTranspose(x, filter, Array.from(shape.dataSync()), strides, padding(options));
  return finished(tf, y, bias, options);
}

/** Filters come as [d, h, w, in, out]. */
function conv3d(tf, [x, weights, bias], options) {
  const [strides, dilations] = ["stride", "dilation"].map((what) => ["d", "h", "w"].map((a) => options[`${what}_${a}`]));
  return finished(tf, tf.conv3d(x, weights, strides, padding(options), "NDHWC", dilations), bias, options);
}

function fullyConnected(tf, [x, weights, bias], options) {
  const flat = tf.reshape(x, [-1, weights.shape[1]]);
  let y = tf.matMul(flat, weights, false, true);
  if (options.keep_num_dims) y = tf.reshape(y, [...x.shape.slice(0, -1), weights.shape[0]]);
  return finished(tf, y, bias, options);
}

const pooled = (name) => (tf, [x], options) => {
  const window = [options.filter_h, options.filter_w], strides = [options.stride_h, options.stride_w];
  return activated(tf, tf[name](x, window, strides, padding(options)), options.activation);
};

function l2Pool(tf, [x], options) {
  const window = [options.filter_h, options.filter_w], strides = [options.stride_h, options.stride_w];
  return activated(tf, tf.sqrt(tf.avgPool(tf.square(x), window, strides, padding(options))), options.activation);
}

/** x / max(|x|, 1e-6), along the last axis. */
function l2Normalized(tf, [x], options) {
  const norm = tf.sqrt(tf.sum(tf.square(x), -1, true));
  return activated(tf, tf.div(x, tf.maximum(norm, 1e-6)), options.activation);
}

const resized = (name) => (tf, [x, size], options) =>
  tf.image[name](x, Array.from(size.dataSync()), options.align_corners, options.half_pixel_centers);

function suppressed(tf, [boxes, scores, most, overlap, least]) {
  const numbers = [most, overlap, least].map((x) => x.dataSync()[0]);
  const found = tf.image.nonMaxSuppressionPadded(boxes, scores, ...numbers, true);
  return [found.selectedIndices, found.validOutputs];
}

function localResponse(tf, [x], options) {
  return tf.localResponseNormalization(x, options.radius, options.bias, options.alpha, options.beta);
}

function categories(tf, [logits, count], options, node) {
  if (node.dtypes[0] !== "int32") return declined(`${node.dtypes[0]} outputs of MULTINOMIAL`);
  return tf.multinomial(logits, count.dataSync()[0], undefined, false);
}

const segments = (tf, [x, ids, count]) => tf.unsortedSegmentSum(x, ids, count.dataSync()[0]);

export const KERNELS = {
  AVERAGE_POOL_2D: pooled("avgPool"),
  BATCH_MATMUL: (tf, [a, b], options) => tf.matMul(a, b, options.adj_x, options.adj_y),
  CONV_2D: conv2d,
  CONV_3D: conv3d,
  DEPTHWISE_CONV_2D: depthwise,
  FULLY_CONNECTED: fullyConnected,
  L2_NORMALIZATION: l2Normalized,
  L2_POOL_2D: l2Pool,
  LOCAL_RESPONSE_NORMALIZATION: localResponse,
  MAX_POOL_2D: pooled("maxPool"),
  MULTINOMIAL: categories,
  NON_MAX_SUPPRESSION_V4: suppressed,
  RANDOM_STANDARD_NORMAL: (tf, [shape]) => tf.randomNormal(Array.from(shape.dataSync())),
  RANDOM_UNIFORM: (tf, [shape]) => tf.randomUniform(Array.from(shape.dataSync())),
  RESIZE_BILINEAR: resized("resizeBilinear"),
  RESIZE_NEAREST_NEIGHBOR: resized("resizeNearestNeighbor"),
  SOFTMAX: (tf, [x], options) => tf.softmax(options.beta === 1 ? x : tf.mul(x, options.beta)),
  TRANSPOSE_CONV: transposeConv,
  UNSORTED_SEGMENT_SUM: segments,
};
