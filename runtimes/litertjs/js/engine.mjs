/** LiteRT.js on its wasm accelerator (XNNPACK), in Node or in a page. */

import {INVALID_INPUT, INVALID_MODEL, UNSUPPORTED, WireError} from "../../../targets/javascript/wire.mjs";

const CORE = {module: "dist/index.js", imports: {"@litertjs/wasm-utils": "@litertjs/wasm-utils/dist/index.js"}};
/** Codes of the TFLite schema that tensors of LiteRT.js can have, and what holds them. */
const ARRAYS = {0: Float32Array, 2: Int32Array, 3: Uint8Array};
const CODES = {float32: 0, int32: 2, uint8: 3};
const MISSING = /not (yet )?(been )?supported|only currently supports|unsupported|unresolved|didn't find op/i;

/** Errors that LiteRT.js printed. That an operator cannot be prepared or run it says on the console and nowhere else. */
const printed = [];
for (const name of ["log", "info", "warn", "error"]) {
  const print = console[name];
  console[name] = (...words) => {
    const line = words.join(" ");
    if (line.startsWith("ERROR:")) printed.push(line.slice("ERROR:".length).trim());
    print(...words);
  };
}

/** Return the session of a worker; there is one variant. */
export async function start(host, label) {
  if (!globalThis.document) (await import("./shims.mjs")).install(host);
  const litert = await host.load("@litertjs/core", CORE);
  await litert.loadLiteRt(host.place("@litertjs/core/wasm/"));
  return new Session(litert, label);
}

/** An engine (targets/javascript/worker.mjs): one compiled model. */
class Session {
  constructor(litert, name) {
    this.litert = litert;
    this.name = name;
    this.model = null;
  }

  async open(bytes) {
    this.close();
    this.model = await refusing(INVALID_MODEL, () => this.litert.loadAndCompile(bytes.slice(), {accelerator: "wasm"}));
  }

  async run(given) {
    if (!this.model) throw new WireError(INVALID_INPUT, "no model is open");
    const inputs = [], outputs = [];
    try {
      for (const tensor of given) inputs.push(this.tensor(tensor));
      outputs.push(...(await refusing(INVALID_INPUT, () => this.model.run(inputs))));
      return await refusing(UNSUPPORTED, () => outputs.map(encoded));
    } finally {
      [...inputs, ...outputs].forEach((tensor) => tensor.delete());
    }
  }

  tensor({code, shape, bytes}) {
    const ArrayType = ARRAYS[code];
    if (!ArrayType) throw new WireError(UNSUPPORTED, `LiteRT.js has no tensors of dtype code ${code}`);
    if (shape.includes(0)) throw new WireError(UNSUPPORTED, "LiteRT.js makes no tensors without elements");
    return new this.litert.Tensor(new ArrayType(bytes.slice().buffer), shape);
  }

  close() {
    this.model?.delete();
    this.model = null;
  }
}

/** Do what LiteRT.js may refuse; what it throws or prints becomes a WireError, but a trap of its machine code stays one. */
async function refusing(code, act) {
  printed.length = 0;
  let found, text = "";
  try {
    found = await act();
  } catch (error) {
    if (error instanceof WebAssembly.RuntimeError) throw error;
    text = String(error?.message ?? error);
  }
  const why = printed[0] ?? text;
  if (why) throw new WireError(MISSING.test(why) ? UNSUPPORTED : code, why);
  return found;
}

/** A computed tensor as the wire takes it. */
function encoded(tensor) {
  const data = tensor.toTypedArray();
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength).slice();
  return {code: CODES[tensor.type.dtype], shape: Array.from(tensor.type.layout.dimensions), bytes};
}
