/**
 * The worker in Node: node node.mjs BACKEND SCHEMA.json, frames on standard input and output.
 *
 * Nothing but frames may reach standard output, so what tfjs prints goes to standard error.
 */

import {readFileSync, writeSync} from "node:fs";
import {createRequire} from "node:module";
import {dirname, join} from "node:path";

import {Worker} from "./session.mjs";
import {frameLength} from "./wire.mjs";

for (const name of ["log", "info", "warn", "debug"]) console[name] = console.error;

const [backend, schemaFile] = process.argv.slice(2);
const require = createRequire(import.meta.url);

/** The package with one backend; wasm runs on one thread, as every runtime here. */
async function load() {
  const tf = require("@tensorflow/tfjs-core");
  if (backend === "wasm") {
    const wasm = require("@tensorflow/tfjs-backend-wasm");
    wasm.setWasmPaths(join(dirname(require.resolve("@tensorflow/tfjs-backend-wasm/package.json")), "wasm-out/"));
    wasm.setThreadsCount(1);
  } else {
    require("@tensorflow/tfjs-backend-cpu");
  }
  if (!(await tf.setBackend(backend))) throw new Error(`the backend ${backend} does not start`);
  await tf.ready();
  return tf;
}

function send(bytes) {
  for (let at = 0; at < bytes.length; ) {
    try {
      at += writeSync(1, bytes, at);
    } catch (error) {
      if (error.code !== "EAGAIN") throw error;
    }
  }
}

const worker = new Worker(await load(), `tfjs node-${backend}`, JSON.parse(readFileSync(schemaFile, "utf8")));
let waiting = new Uint8Array(0);
process.stdin.on("data", (chunk) => {
  const joined = new Uint8Array(waiting.length + chunk.length); // its slices are copies, those of a Buffer are not
  joined.set(waiting);
  joined.set(chunk, waiting.length);
  waiting = joined;
  for (let length = frameLength(waiting); length && waiting.length >= length; length = frameLength(waiting)) {
    const [answer, last] = worker.answer(waiting.subarray(0, length));
    waiting = waiting.subarray(length);
    send(answer);
    if (last) process.exit(0);
  }
});
process.stdin.on("end", () => process.exit(0));
