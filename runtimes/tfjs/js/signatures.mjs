/**
 * What the operands of an operator are: their number and dtypes. TensorFlow.js converts one dtype into another as it
 * pleases; a .tflite file that needs that is wrong.
 */

import {invalid} from "./common.mjs";

/**
 * Signatures and their operators. F is float32, I int32, B bool, N a number and X anything, each the same wherever it
 * stands in a signature; Y is anything else. ? may be left out, * stands one time or more.
 */
const GROUPS = {
  "F > F": `AVERAGE_POOL_2D CEIL COS ELU EXP FLOOR GELU HARD_SWISH L2_NORMALIZATION L2_POOL_2D LEAKY_RELU
    LOCAL_RESPONSE_NORMALIZATION LOG LOGISTIC LOG_SOFTMAX MAX_POOL_2D RELU RELU6 RELU_0_TO_1 RELU_N1_TO_1 ROUND RSQRT
    SIN SOFTMAX SQRT SQUARE TANH`,
  "N > N": "ABS DEPTH_TO_SPACE MATRIX_DIAG NEG SIGN SPACE_TO_DEPTH",
  "B > B": "LOGICAL_NOT",
  "X > X": "SQUEEZE ZEROS_LIKE",
  "X > Y": "CAST",
  "X > I": "RANK SHAPE",
  "N > I": "BUCKETIZE",
  "X > X I": "UNIQUE",
  "X > X*": "UNPACK",
  "X* > X": "CONCATENATION PACK",
  "N* > N": "ADD_N",
  "F F > F": "ATAN2 BATCH_MATMUL PRELU",
  "N N > N": "ADD DIV FLOOR_DIV FLOOR_MOD MATRIX_SET_DIAG MAXIMUM MINIMUM MUL POW SQUARED_DIFFERENCE SUB",
  "N N > B": "GREATER GREATER_EQUAL LESS LESS_EQUAL",
  "X X > B": "EQUAL NOT_EQUAL",
  "B B > B": "LOGICAL_AND LOGICAL_OR",
  "I I > I": "BITWISE_XOR BROADCAST_ARGS",
  "X I > I": "ARG_MAX ARG_MIN",
  "N I > N": "CUMSUM MEAN REDUCE_MAX REDUCE_MIN REDUCE_PROD RESIZE_NEAREST_NEIGHBOR REVERSE_SEQUENCE SEGMENT_SUM SUM",
  "F I > F": "RESIZE_BILINEAR",
  "B I > B": "REDUCE_ALL REDUCE_ANY",
  "X I > X": "BROADCAST_TO EXPAND_DIMS GATHER GATHER_ND MIRROR_PAD PAD REVERSE_V2 TILE TRANSPOSE",
  "X I? > X": "RESHAPE",
  "N I > N I": "TOPK_V2",
  "I X > X": "EMBEDDING_LOOKUP FILL",
  "I X > X*": "SPLIT",
  "X I I > X": "BATCH_TO_SPACE_ND SLICE SPACE_TO_BATCH_ND",
  "N I I > N": "UNSORTED_SEGMENT_MAX UNSORTED_SEGMENT_MIN UNSORTED_SEGMENT_PROD UNSORTED_SEGMENT_SUM",
  "X I I > X*": "SPLIT_V",
  "X I X > X": "DILATE PADV2",
  "X X I > X": "DYNAMIC_UPDATE_SLICE",
  "I X I > X": "SCATTER_ND",
  "N N N > N": "RANGE",
  "B X X > X": "SELECT SELECT_V2",
  "F F F > F": "CONV_2D",
  "F F F? > F": "CONV_3D DEPTHWISE_CONV_2D FULLY_CONNECTED",
  "I F F F? > F": "CONV_3D_TRANSPOSE TRANSPOSE_CONV",
  "X I I I > X": "STRIDED_SLICE",
  "I I X X > X": "ONE_HOT SPARSE_TO_DENSE",
  "F F I F F > I I": "NON_MAX_SUPPRESSION_V4",
  "F F I F F F > I F I": "NON_MAX_SUPPRESSION_V5",
};
const LETTERS = {
  F: ["float32"], I: ["int32"], B: ["bool"], N: ["float32", "int32"],
  X: ["float32", "int32", "bool"], Y: ["float32", "int32", "bool"],
};

const SIGNATURES = Object.fromEntries(Object.entries(GROUPS).flatMap(([text, ops]) => {
  const sides = text.split(" > ").map((side) => side.split(" "));
  return ops.split(/\s+/).map((op) => [op, {text, sides}]);
}));

/** Refuse a node whose operands are not those of its operator; dtypes are null for inputs that are absent. */
export function checkSignature(op, inputs, outputs) {
  const {text, sides} = SIGNATURES[op], bound = {};
  if (matches(sides[0], inputs, bound) && matches(sides[1], outputs, bound)) return;
  invalid(`${op} is ${text} (F float32, I int32, B bool, N number, X any), not ${inputs.map(named)} > ${outputs}`);
}

const named = (dtype) => dtype ?? "absent";

function matches(letters, dtypes, bound) {
  const most = letters.at(-1).endsWith("*") ? Infinity : letters.length;
  const least = letters.filter((letter) => !letter.endsWith("?")).length;
  if (dtypes.length < least || dtypes.length > most) return false;
  return dtypes.every((dtype, n) => fits(letters[Math.min(n, letters.length - 1)], dtype, bound));
}

function fits(letter, dtype, bound) {
  if (dtype === null) return letter.endsWith("?");
  bound[letter[0]] ??= dtype;
  return bound[letter[0]] === dtype && LETTERS[letter[0]].includes(dtype);
}
