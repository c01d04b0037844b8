/** Starts TensorFlow.js on one backend, in Node or in a page. */

import {Session} from "./session.mjs";

const CORE = {script: "dist/tf-core.min.js", global: "tf"};
const CPU = {script: "dist/tf-backend-cpu.min.js", global: "tf"};
const WASM = {script: "dist/tf-backend-wasm.min.js", global: "tf.wasm"};
const FLATBUFFERS = {module: "mjs/flatbuffers.js"};

/** Return the session of a worker: `host` finds packages, `variant` is the backend, cpu or wasm. */
export async function start(host, label, variant) {
  const tf = await host.load("@tensorflow/tfjs-core", CORE);
  if (variant === "wasm") {
    const wasm = await host.load("@tensorflow/tfjs-backend-wasm", WASM);
    wasm.setWasmPaths(host.place("@tensorflow/tfjs-backend-wasm/wasm-out/"));
    wasm.setThreadsCount(1); // as every runtime here
  } else {
    await host.load("@tensorflow/tfjs-backend-cpu", CPU);
  }
  if (!(await tf.setBackend(variant))) throw new Error(`the backend ${variant} does not start`);
  await tf.ready();
  const {ByteBuffer} = await host.load("flatbuffers", FLATBUFFERS);
  return new Session(tf, label, await host.data("schema.json"), ByteBuffer);
}
