/** Standard input and output of a worker in Node. */

import {writeSync} from "node:fs";

import {BAD_FRAME, encodeError, encodeFrame, ERROR, WireError} from "./wire.mjs";

/** Write one whole frame. */
export function send(bytes) {
  for (let at = 0; at < bytes.length; ) {
    try {
      at += writeSync(1, bytes, at);
    } catch (error) {
      if (error.code !== "EAGAIN") throw error;
    }
  }
}

/** End with the line that a report shows. */
export function fail(line) {
  console.error(line.split("\n")[0]);
  process.exit(1);
}

/** End after an error outside a conversation: where no frame begins, say so, since none can be found after it. */
export function failWith(error) {
  if (!(error instanceof WireError)) fail(`${error.name}: ${error.message}`);
  send(encodeFrame(ERROR, 0, encodeError(BAD_FRAME, error.message)));
  process.exit(0);
}
