/**
 * Operators that work on each element, and reductions.
 *
 * A kernel takes the package, the input tensors (null: absent), the options by name and the node; it returns one
 * tensor or a list. Where several functions are composed, they are exact or within the bounds of any one of them.
 */

import {declined} from "./common.mjs";

/** Apply a fused activation. */
export function activated(tf, x, activation) {
  switch (activation) {
    case undefined:
    case "NONE": return x;
    case "RELU": return tf.relu(x);
    case "RELU6": return tf.relu6(x);
    case "RELU_N1_TO_1": return tf.clipByValue(x, -1, 1);
    default: return declined(`the fused activation ${activation}`);
  }
}

const unary = (name) => (tf, [x]) => tf[name](x);
const binary = (name) => (tf, [a, b], options) => activated(tf, tf[name](a, b), options.activation);
const reduced = (name) => (tf, [x, axes], options) => tf[name](x, Array.from(axes.dataSync()), options.keep_dims);

/** ARG_MAX and ARG_MIN; the axis is a scalar or a vector of one. */
const placed = (name) => (tf, [x, axis], options, node) => {
  if (node.dtypes[0] !== "int32") return declined(`${node.dtypes[0]} outputs`);
  return tf[name](x, axis.dataSync()[0]);
};

const UNARY = {
  ABS: "abs", CEIL: "ceil", COS: "cos", ELU: "elu", EXP: "exp", FLOOR: "floor", LOG: "log", LOGICAL_NOT: "logicalNot",
  LOGISTIC: "sigmoid", NEG: "neg", RELU: "relu", RELU6: "relu6", ROUND: "round", RSQRT: "rsqrt", SIGN: "sign",
  SIN: "sin", SQRT: "sqrt", SQUARE: "square", TANH: "tanh", ZEROS_LIKE: "zerosLike",
};
const BINARY = {
  ADD: "add", ATAN2: "atan2", EQUAL: "equal", FLOOR_MOD: "mod", GREATER: "greater", GREATER_EQUAL: "greaterEqual",
  LESS: "less", LESS_EQUAL: "lessEqual", LOGICAL_AND: "logicalAnd", LOGICAL_OR: "logicalOr", MAXIMUM: "maximum",
  MINIMUM: "minimum", MUL: "mul", NOT_EQUAL: "notEqual", POW: "pow", SQUARED_DIFFERENCE: "squaredDifference",
  SUB: "sub",
};
const REDUCED = {MEAN: "mean", REDUCE_ALL: "all", REDUCE_ANY: "any", REDUCE_MAX: "max", REDUCE_MIN: "min",
  REDUCE_PROD: "prod", SUM: "sum"};

const from = (table, make) => Object.fromEntries(Object.entries(table).map(([op, name]) => [op, make(name)]));

/** tf.div of int32 rounds down, TensorFlow Lite cuts towards zero. */
function divided(tf, [a, b], options) {
  if (a.dtype === "int32") return declined("int32 quotients cut towards zero");
  return activated(tf, tf.div(a, b), options.activation);
}

function cast(tf, [x], options, node) {
  return tf.cast(x, node.dtypes[0]);
}

function cumulated(tf, [x, axis], options) {
  return tf.cumsum(x, axis.dataSync()[0], options.exclusive, options.reverse);
}

/** 0.5 x (1 + erf(x / sqrt 2)), or its approximation by tanh. */
function gelu(tf, [x], options) {
  if (!options.approximate) return tf.mul(tf.mul(x, 0.5), tf.add(tf.erf(tf.mul(x, Math.SQRT1_2)), 1));
  const inner = tf.mul(tf.add(x, tf.mul(tf.mul(x, tf.square(x)), 0.044715)), Math.sqrt(2 / Math.PI));
  return tf.mul(tf.mul(x, 0.5), tf.add(tf.tanh(inner), 1));
}

export const KERNELS = {
  ...from(UNARY, unary),
  ...from(BINARY, binary),
  ...from(REDUCED, reduced),
  ADD_N: (tf, inputs) => tf.addN(inputs),
  ARG_MAX: placed("argMax"),
  ARG_MIN: placed("argMin"),
  CAST: cast,
  CUMSUM: cumulated,
  DIV: divided,
  GELU: gelu,
  HARD_SWISH: (tf, [x]) => tf.mul(x, tf.div(tf.relu6(tf.add(x, 3)), 6)),
  LEAKY_RELU: (tf, [x], options) => tf.leakyRelu(x, options.alpha),
  LOG_SOFTMAX: (tf, [x]) => tf.logSoftmax(x),
  PRELU: (tf, [x, alpha]) => tf.prelu(x, alpha),
  RELU_0_TO_1: (tf, [x]) => tf.clipByValue(x, 0, 1),
  RELU_N1_TO_1: (tf, [x]) => tf.clipByValue(x, -1, 1),
  SELECT_V2: (tf, [condition, x, y]) => tf.where(condition, x, y),
};
