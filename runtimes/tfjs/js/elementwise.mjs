/**
 * Operators that work on each element, and reductions.
 *
 * A kernel takes the package, the input tensors (null: absent), the options by name and the node; it returns one
 * tensor or a list. Where several functions are composed, they are exact or within the bounds of any one of them.
 */

import {axisOf, declined, ints, invalid, notBoolOnWasm, outOfRange, scalar} from "./common.mjs";

/** Apply a fused activation. */
export function activated(tf, x, activation) {
  switch (activation) {
    case undefined:
    case "NONE": return x;
    case "RELU": return tf.relu(x);
    case "RELU6": return tf.relu6(x);
    case "RELU_N1_TO_1": return clipped(tf, x, -1, 1);
    default: return declined(`fused activation ${activation}`);
  }
}

/** tf.clipByValue takes whole numbers for floats on wasm. */
function clipped(tf, x, low, high) {
  if (x.dtype === "float32") return tf.clipByValue(x, low, high);
  return tf.minimum(tf.maximum(x, tf.scalar(low, x.dtype)), tf.scalar(high, x.dtype));
}

const unary = (name) => (tf, [x]) => tf[name](x);
const binary = (name) => (tf, [a, b], options) => activated(tf, tf[name](a, b), options.activation);
const reduced = (name) => (tf, [x, axes], options) => tf[name](x, axesOf(axes, x), options.keep_dims);

function axesOf(axes, x) {
  return ints(axes).map((axis) => axisOf(axis, x.shape.length));
}

/** ARG_MAX and ARG_MIN. */
const placed = (name) => (tf, [x, axis], options) => {
  if (options.output_type !== "int32") invalid(`int32 positions are said to be ${options.output_type}`);
  return tf[name](x, axisOf(scalar(axis), x.shape.length));
};

const UNARY = {
  ABS: "abs", CEIL: "ceil", COS: "cos", ELU: "elu", EXP: "exp", FLOOR: "floor", LOG: "log", LOGICAL_NOT: "logicalNot",
  LOGISTIC: "sigmoid", LOG_SOFTMAX: "logSoftmax", NEG: "neg", RELU: "relu", RELU6: "relu6", ROUND: "round",
  RSQRT: "rsqrt", SIGN: "sign", SIN: "sin", SQRT: "sqrt", SQUARE: "square", TANH: "tanh", ZEROS_LIKE: "zerosLike",
};
const BINARY = {
  ADD: "add", ATAN2: "atan2", EQUAL: "equal", GREATER: "greater", GREATER_EQUAL: "greaterEqual", LESS: "less",
  LESS_EQUAL: "lessEqual", LOGICAL_AND: "logicalAnd", LOGICAL_OR: "logicalOr", MAXIMUM: "maximum", MINIMUM: "minimum",
  MUL: "mul", NOT_EQUAL: "notEqual", SQUARED_DIFFERENCE: "squaredDifference", SUB: "sub",
};
const REDUCED = {
  REDUCE_ALL: "all", REDUCE_ANY: "any", REDUCE_MAX: "max", REDUCE_MIN: "min", REDUCE_PROD: "prod", SUM: "sum",
};

const from = (table, make) => Object.fromEntries(Object.entries(table).map(([op, name]) => [op, make(name)]));

/** The quotient of whole numbers cut towards zero; tf.div rounds it down. */
function cut(tf, a, b) {
  const down = tf.floorDiv(a, b);
  const inexact = tf.notEqual(tf.mul(down, b), a), zero = tf.scalar(0, "int32");
  const negative = tf.notEqual(tf.less(a, zero), tf.less(b, zero));
  return tf.add(down, tf.cast(tf.logicalAnd(inexact, negative), "int32"));
}

/** Whole numbers have no quotient and no remainder by zero. */
function divisor(b) {
  if (b.dtype === "int32" && b.dataSync().includes(0)) outOfRange("a whole number is divided by zero");
  return b;
}

function divided(tf, [a, b], options) {
  divisor(b);
  return activated(tf, a.dtype === "int32" ? cut(tf, a, b) : tf.div(a, b), options.activation);
}

/** tf.floorDiv gives int32 whatever it is given, and tf.floor(tf.div) rounds up what is just below a whole number. */
function floorDivided(tf, [a, b]) {
  return a.dtype === "int32" ? tf.floorDiv(a, divisor(b)) : declined("quotients of float32 rounded down");
}

function mean(tf, [x, axes], options) {
  if (x.dtype === "float32") return reduced("mean")(tf, [x, axes], options);
  const sum = reduced("sum")(tf, [x, axes], options);
  return cut(tf, sum, tf.scalar(Math.max(1, x.size / Math.max(1, sum.size)), "int32"));
}

function power(tf, [a, b]) {
  if (b.dtype === "int32" && b.dataSync().some((n) => n < 0)) outOfRange("a whole number has a negative exponent");
  return tf.pow(a, b);
}

function cumulated(tf, [x, axis], options) {
  return tf.cumsum(x, axisOf(scalar(axis), x.shape.length), options.exclusive, options.reverse);
}

/** 0.5 x (1 + erf(x / sqrt 2)), or its approximation by tanh. */
function gelu(tf, [x], options) {
  if (!options.approximate) return tf.mul(tf.mul(x, 0.5), tf.add(tf.erf(tf.mul(x, Math.SQRT1_2)), 1));
  const inner = tf.mul(tf.add(x, tf.mul(tf.mul(x, tf.square(x)), 0.044715)), Math.sqrt(2 / Math.PI));
  return tf.mul(tf.mul(x, 0.5), tf.add(tf.tanh(inner), 1));
}

/** a xor b = a + b - 2 (a and b); what goes beyond 32 bits on the way comes back. */
function xor(tf, [a, b]) {
  return tf.sub(tf.add(a, b), tf.mul(tf.bitwiseAnd(...broadcast(tf, a, b)), tf.scalar(2, "int32")));
}

/** tf.bitwiseAnd wants equal shapes. */
function broadcast(tf, a, b) {
  const zeros = tf.zerosLike(tf.add(a, b));
  return [tf.add(a, zeros), tf.add(b, zeros)];
}

/** Slopes are repeated along the input, never the input along the slopes. */
function prelu(tf, [x, slopes]) {
  const fits = [...slopes.shape].reverse().every((size, n) => size === 1 || size === x.shape.at(-1 - n));
  if (!fits || slopes.shape.length > x.shape.length) invalid(`[${slopes.shape}] slopes for [${x.shape}]`);
  return tf.prelu(x, slopes);
}

/** How many boundaries are at or below each element. */
function bucketized(tf, [x], options) {
  const edges = options.boundaries ?? [];
  if (edges.some((edge, n) => edge < edges[n - 1])) invalid("the boundaries are not sorted");
  return tf.reshape(tf.upperBound(tf.tensor1d(edges), tf.cast(tf.reshape(x, [x.size]), "float32")), x.shape);
}

function selected(tf, [condition, a, b]) {
  notBoolOnWasm(tf, a.dtype, "SELECT_V2");
  return tf.where(condition, a, b);
}

/** Kernels by operator. */
export const KERNELS = {
  ...from(UNARY, unary),
  ...from(BINARY, binary),
  ...from(REDUCED, reduced),
  ADD_N: (tf, inputs) => tf.addN(inputs),
  ARG_MAX: placed("argMax"),
  ARG_MIN: placed("argMin"),
  BITWISE_XOR: xor,
  BUCKETIZE: bucketized,
  CAST: (tf, [x], options, node) => tf.cast(x, node.dtypes[0]),
  CUMSUM: cumulated,
  DIV: divided,
  FLOOR_DIV: floorDivided,
  FLOOR_MOD: (tf, [a, b]) => tf.mod(a, divisor(b)),
  GELU: gelu,
  HARD_SWISH: (tf, [x]) => tf.mul(x, tf.div(tf.relu6(tf.add(x, 3)), 6)),
  LEAKY_RELU: (tf, [x], options) => tf.leakyRelu(x, options.alpha),
  MEAN: mean,
  POW: power,
  PRELU: prelu,
  RELU_0_TO_1: (tf, [x]) => tf.clipByValue(x, 0, 1),
  RELU_N1_TO_1: (tf, [x]) => tf.clipByValue(x, -1, 1),
  SELECT_V2: selected,
};
