/** Layers: convolutions, pooling, products of matrices, normalization, resizing, boxes. */

import {declined, ints, invalid, perAxis, room, scalar} from "./common.mjs";
import {activated} from "./elementwise.mjs";

const PLANE = ["h", "w"], VOLUME = ["d", "h", "w"];
const padding = (options) => options.padding.toLowerCase();

function finished(tf, y, bias, options) {
  return activated(tf, bias ? tf.add(y, bias) : y, options.activation);
}

/** Filters come as [out, h, w, in]; where the input has more channels, groups of filters take a part of them each. */
function conv2d(tf, [x, weights, bias], options) {
  const filter = tf.transpose(weights, [1, 2, 3, 0]), groups = x.shape.at(-1) / weights.shape.at(-1);
  const strides = perAxis(options, "stride", PLANE), dilations = perAxis(options, "dilation", PLANE);
  const convolved = (part, its) => tf.conv2d(part, its, strides, padding(options), "NHWC", dilations);
  if (!(groups > 1)) return finished(tf, convolved(x, filter), bias, options);
  const [parts, filters] = [tf.split(x, groups, -1), tf.split(filter, groups, -1)];
  return finished(tf, tf.concat(parts.map((part, n) => convolved(part, filters[n])), -1), bias, options);
}

/** Filters come as [1, h, w, in * multiplier]. */
function depthwise(tf, [x, weights, bias], options) {
  const [, height, width, out] = weights.shape, channels = x.shape[3];
  const filter = tf.reshape(weights, [height, width, channels, out / channels]);
  const strides = perAxis(options, "stride", PLANE), dilations = perAxis(options, "dilation", PLANE);
  return finished(tf, tf.depthwiseConv2d(x, filter, strides, padding(options), "NHWC", dilations), bias, options);
}

/** Inputs are the output's shape, filters [out, h, w, in], the input, and perhaps a bias. */
function transposeConv(tf, [shape, weights, x, bias], options) {
  const filter = tf.transpose(weights, [1, 2, 0, 3]), strides = perAxis(options, "stride", PLANE);
  return finished(tf, tf.conv2dTranspose(x, filter, room(ints(shape)), strides, padding(options)), bias, options);
}

/** Filters come as [d, h, w, in, out]. */
function conv3d(tf, [x, weights, bias], options) {
  const strides = perAxis(options, "stride", VOLUME), dilations = perAxis(options, "dilation", VOLUME);
  return finished(tf, tf.conv3d(x, weights, strides, padding(options), "NDHWC", dilations), bias, options);
}

/** As transposeConv, with filters [d, h, w, out, in]. */
function conv3dTranspose(tf, [shape, weights, x, bias], options) {
  const strides = perAxis(options, "stride", VOLUME);
  if (perAxis(options, "dilation", VOLUME).some((n) => n > 1)) return declined("dilated transposed CONV_3D");
  return finished(tf, tf.conv3dTranspose(x, weights, room(ints(shape)), strides, padding(options)), bias, options);
}

function fullyConnected(tf, [x, weights, bias], options) {
  if (weights.shape.length !== 2) invalid(`weights have two axes, not [${weights.shape}]`);
  const flat = tf.reshape(x, [-1, weights.shape[1]]);
  let y = tf.matMul(flat, weights, false, true);
  if (options.keep_num_dims) y = tf.reshape(y, [...x.shape.slice(0, -1), weights.shape[0]]);
  return finished(tf, y, bias, options);
}

const pooled = (name) => (tf, [x], options) => {
  const window = perAxis(options, "filter", PLANE), strides = perAxis(options, "stride", PLANE);
  return activated(tf, tf[name](x, window, strides, padding(options)), options.activation);
};

function l2Pool(tf, [x], options) {
  const meanSquare = pooled("avgPool")(tf, [tf.square(x)], {...options, activation: "NONE"});
  return activated(tf, tf.sqrt(meanSquare), options.activation);
}

/** x / max(|x|, 1e-6), along the last axis. */
function l2Normalized(tf, [x], options) {
  if (options.activation !== "NONE") invalid(`L2_NORMALIZATION fuses no ${options.activation}`);
  return tf.div(x, tf.maximum(tf.sqrt(tf.sum(tf.square(x), -1, true)), 1e-6));
}

const resized = (name) => (tf, [x, size], options) => {
  const [height, width] = ints(size);
  room([x.shape[0], height, width, x.shape[3]]);
  return tf.image[name](x, [height, width], options.align_corners, options.half_pixel_centers);
};

/** tf fills up with zeros as far as there are boxes, a model as far as it has asked for. */
const filled = (tf, x, size) => tf.pad(x, [[0, size - x.size]]);

function suppressed(tf, [boxes, scores, ...rules]) {
  const numbers = rules.map(scalar);
  room(numbers.slice(0, 1));
  const found = tf.image.nonMaxSuppressionPadded(boxes, scores, ...numbers, true);
  return [filled(tf, found.selectedIndices, numbers[0]), found.validOutputs];
}

function softlySuppressed(tf, [boxes, scores, ...rules]) {
  const numbers = rules.map(scalar);
  room(numbers.slice(0, 1));
  const {selectedIndices, selectedScores} = tf.image.nonMaxSuppressionWithScore(boxes, scores, ...numbers);
  const both = [selectedIndices, selectedScores].map((x) => filled(tf, x, numbers[0]));
  return [...both, tf.scalar(selectedIndices.size, "int32")];
}

function localResponse(tf, [x], options) {
  return tf.localResponseNormalization(x, options.radius, options.bias, options.alpha, options.beta);
}

/** Kernels by operator. */
export const KERNELS = {
  AVERAGE_POOL_2D: pooled("avgPool"),
  BATCH_MATMUL: (tf, [a, b], options) => tf.matMul(a, b, options.adj_x, options.adj_y),
  CONV_2D: conv2d,
  CONV_3D: conv3d,
  CONV_3D_TRANSPOSE: conv3dTranspose,
  DEPTHWISE_CONV_2D: depthwise,
  FULLY_CONNECTED: fullyConnected,
  L2_NORMALIZATION: l2Normalized,
  L2_POOL_2D: l2Pool,
  LOCAL_RESPONSE_NORMALIZATION: localResponse,
  MAX_POOL_2D: pooled("maxPool"),
  NON_MAX_SUPPRESSION_V4: suppressed,
  NON_MAX_SUPPRESSION_V5: softlySuppressed,
  RESIZE_BILINEAR: resized("resizeBilinear"),
  RESIZE_NEAREST_NEIGHBOR: resized("resizeNearestNeighbor"),
  SOFTMAX: (tf, [x], options) => tf.softmax(options.beta === 1 ? x : tf.mul(x, options.beta)),
  TRANSPOSE_CONV: transposeConv,
};
