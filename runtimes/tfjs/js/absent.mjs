/** Why operators of the .tflite format have no kernel here. */

/** Reasons and their operators. */
const GROUPS = {
  "it keeps state from one invocation to the next, and kernels of TensorFlow.js keep none": `ASSIGN_VARIABLE
    BIDIRECTIONAL_SEQUENCE_LSTM BIDIRECTIONAL_SEQUENCE_RNN HASHTABLE HASHTABLE_FIND HASHTABLE_IMPORT HASHTABLE_LOOKUP
    HASHTABLE_SIZE LSTM READ_VARIABLE RNN SVDF UNIDIRECTIONAL_SEQUENCE_LSTM UNIDIRECTIONAL_SEQUENCE_RNN VAR_HANDLE`,
  "it calls other graphs, and TensorFlow.js has kernels, no graphs": "CALL_ONCE IF WHILE",
  "TensorFlow.js draws from generators of its own": "MULTINOMIAL RANDOM_STANDARD_NORMAL RANDOM_UNIFORM",
  "TensorFlow.js has neither quantized nor sparse tensors": "DENSIFY DEQUANTIZE FAKE_QUANT QUANTIZE",
  "TensorFlow.js has no whole numbers of 64 bits": "REDUCE_WINDOW WHERE",
  "TensorFlow Lite's custom operators are code of applications": "CUSTOM",
};

const REASONS = Object.fromEntries(
  Object.entries(GROUPS).flatMap(([why, ops]) => ops.split(/\s+/).map((op) => [op, why])),
);

/** Why there is nothing for an operator. */
export function whyAbsent(op) {
  return `${op}: ${REASONS[op] ?? "TensorFlow.js has no kernel that does this, nor do several in turn"}`;
}
