/** What the kernels share. */

import {INVALID_INPUT, INVALID_MODEL, UNSUPPORTED, WireError} from "../../../targets/javascript/wire.mjs";

/** As many elements as one answer can carry: a model that asks for more is refused before memory is taken. */
const MOST_ELEMENTS = 1 << 22;

/** Throw: tfjs has nothing that does this. */
export function declined(what) {
  throw new WireError(UNSUPPORTED, `TensorFlow.js has no ${what}`);
}

/** Refuse bools of a kernel that on wasm moves four bytes for each, over the tensors and the heap that lie behind. */
export function notBoolOnWasm(tf, dtype, what) {
  if (dtype === "bool" && tf.getBackend() === "wasm") declined(`${what} of bools on wasm that keeps to its tensors`);
}

/** Throw: no .tflite file may say this. TensorFlow.js has functions, no files, so it is asked here. */
export function invalid(what) {
  throw new WireError(INVALID_MODEL, what);
}

/** Throw: no input may have this value. */
export function outOfRange(what) {
  throw new WireError(INVALID_INPUT, what);
}

/** The numbers of a tensor that says where or how much. */
export const ints = (x) => Array.from(x.dataSync());

/** The numbers of a [n, 2] tensor, two by two: how much is added or cut off before and behind each axis. */
export function pairs(x) {
  const flat = ints(x);
  if (x.shape.length !== 2 || x.shape[1] !== 2) invalid(`pairs come as [n, 2], these as [${x.shape}]`);
  if (flat.some((n) => n < 0)) invalid(`${flat} are to be added or cut off`);
  return Array.from({length: x.shape[0]}, (_, n) => [flat[2 * n], flat[2 * n + 1]]);
}

/** The number of a tensor of one element. */
export function scalar(x) {
  if (x.size !== 1) invalid(`one number is wanted, there are ${x.size}`);
  return x.dataSync()[0];
}

/** An axis counted from the front; axes below 0 count from the end. */
export function axisOf(axis, rank) {
  if (axis < -rank || axis >= rank) invalid(`axis ${axis} of rank ${rank}`);
  return axis < 0 ? axis + rank : axis;
}

/** A shape that is computed from data, if it is one and fits into an answer. */
export function room(shape) {
  if (shape.some((size) => size < 0)) invalid(`[${shape}] is no shape`);
  const count = shape.reduce((a, b) => a * b, 1);
  if (count > MOST_ELEMENTS) declined(`room for ${count} elements in an answer`);
  return shape;
}

/** Options of that stem for each of the axes, as `stride_h` and `stride_w`; all are 1 or more. */
export function perAxis(options, stem, axes) {
  const found = axes.map((axis) => options[`${stem}_${axis}`]);
  if (found.some((n) => n < 1)) invalid(`${stem}s of ${found} are too small`);
  return found;
}
