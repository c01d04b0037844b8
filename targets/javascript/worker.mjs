/** Answers frames with an engine, in Node and in a page alike. */

import * as wire from "./wire.mjs";

/**
 * An engine behind the wire.
 *
 * An engine has a `name`, `open(bytes)`, `run(tensors)`, which returns tensors, and `close()`; each may return a promise.
 * What it refuses it throws as a WireError; any other error is a crash of the engine. After a trap of WebAssembly its
 * memory is not to be trusted: every later question is answered with that trap, until a fresh engine takes its place.
 */
export class Worker {
  constructor(engine) {
    this.engine = engine;
    this.trap = null;
  }

  /** The frame that answers a frame, and whether the worker ends with it. */
  async answer(bytes) {
    const frame = wire.decodeFrame(bytes);
    try {
      if (frame.bad) throw new wire.WireError(wire.BAD_FRAME, frame.bad);
      const [kind, payload] = await this.handle(frame);
      return [wire.encodeFrame(kind, frame.sequence, payload), kind === wire.GONE];
    } catch (error) {
      if (error instanceof WebAssembly.RuntimeError) this.trap = error;
      const [code, text] = error instanceof wire.WireError ? [error.code, error.message] : [wire.INTERNAL, String(error)];
      const payload = wire.encodeError(code, text.split(/\s+/).join(" ").slice(0, 300));
      return [wire.encodeFrame(wire.ERROR, frame.sequence, payload), false];
    }
  }

  async handle({kind, payload}) {
    if (this.trap && kind !== wire.BYE) throw this.trap;
    switch (kind) {
      case wire.HELLO: return [wire.READY, wire.encodeReady(this.engine.name)];
      case wire.OPEN: await this.engine.open(payload); return [wire.OPENED, wire.encodeOpened()];
      case wire.RUN: return [wire.RESULT, wire.encodeResult(await this.engine.run(wire.decodeTensors(payload)))];
      case wire.CLOSE: await this.engine.close(); return [wire.CLOSED];
      case wire.BYE: return [wire.GONE];
      default: throw new wire.WireError(wire.BAD_FRAME, `kind ${kind} is no request`);
    }
  }
}
