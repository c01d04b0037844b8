/** Operators that join the rows of one number. */

import {ints, invalid, outOfRange, room, scalar} from "./common.mjs";

/** The least and the greatest number of a dtype: what no rows at all have for a maximum and a minimum. */
const LEAST = {float32: -3.4028234663852886e38, int32: -(2 ** 31)};
const GREATEST = {float32: 3.4028234663852886e38, int32: 2 ** 31 - 1};

/** Rows and their numbers, each flat, and the shape of the result; `ids` may have several axes. */
function rowsOf(tf, x, ids, count) {
  const leading = ids.shape.length;
  if (x.shape.slice(0, leading).join() !== ids.shape.join()) invalid(`[${ids.shape}] numbers for rows of [${x.shape}]`);
  const shape = room([count, ...x.shape.slice(leading)]), width = shape.slice(1).reduce((a, b) => a * b, 1);
  if (ids.dataSync().some((id) => id >= count)) outOfRange(`a number of ${count} or more for ${count} segments`);
  return [tf.reshape(x, [ids.size, width]), tf.reshape(ids, [ids.size]), shape];
}

function unsortedSum(tf, [x, ids, segments]) {
  const [rows, numbers, shape] = rowsOf(tf, x, ids, scalar(segments));
  return tf.reshape(tf.unsortedSegmentSum(rows, numbers, shape[0]), shape);
}

/** Every segment sees all rows and, in place of those of the others and as one more, rows of `neutral`. */
const unsorted = (name, neutral) => (tf, [x, ids, segments]) => {
  const [rows, numbers, shape] = rowsOf(tf, x, ids, scalar(segments)), none = neutral(x.dtype);
  if (shape.includes(0)) return tf.zeros(shape, x.dtype);
  const more = tf.concat([rows, tf.fill([1, rows.shape[1]], none, x.dtype)]);
  const each = tf.concat([numbers, tf.tensor1d([-1], "int32")]);
  const segment = tf.reshape(tf.range(0, shape[0], 1, "int32"), [shape[0], 1, 1]);
  const own = tf.equal(segment, tf.reshape(each, [1, each.size, 1]));
  return tf.reshape(tf[name](tf.where(own, tf.expandDims(more, 0), tf.scalar(none, x.dtype)), 1), shape);
};

/** Numbers that only grow, one for each row. */
function sortedSum(tf, [x, ids]) {
  const numbers = ints(ids);
  if (ids.shape.length !== 1 || numbers.length !== x.shape[0]) invalid(`[${ids.shape}] numbers for [${x.shape}]`);
  if (numbers.some((id, n) => id < (numbers[n - 1] ?? 0))) outOfRange(`the numbers ${numbers} do not grow from 0`);
  room([(numbers.at(-1) ?? -1) + 1, ...x.shape.slice(1)]);
  return tf.sparse.sparseSegmentSum(x, tf.range(0, numbers.length, 1, "int32"), ids);
}

/** Kernels by operator. */
export const KERNELS = {
  SEGMENT_SUM: sortedSum,
  UNSORTED_SEGMENT_MAX: unsorted("max", (dtype) => LEAST[dtype]),
  UNSORTED_SEGMENT_MIN: unsorted("min", (dtype) => GREATEST[dtype]),
  UNSORTED_SEGMENT_PROD: unsorted("prod", () => 1),
  UNSORTED_SEGMENT_SUM: unsortedSum,
};
