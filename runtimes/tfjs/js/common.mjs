/** What the kernels share. */

import {UNSUPPORTED, WireError} from "../../../targets/javascript/wire.mjs";

/** Throw: tfjs has nothing that does this. */
export function declined(what) {
  throw new WireError(UNSUPPORTED, `TensorFlow.js has no ${what}`);
}

/** The numbers of a tensor that says where or how much. */
export const ints = (x) => Array.from(x.dataSync());
