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

/** Say that no frame begins where one should, and end: where the next one begins is unknown. Throws any other error. */
export function answerBadFrame(error) {
  if (!(error instanceof WireError)) throw error;
  send(encodeFrame(ERROR, 0, encodeError(BAD_FRAME, error.message)));
  process.exit(0);
}
