/**
 * The worker in Node: node node.mjs ENGINE.mjs PACKAGES LABEL VARIANT, frames on standard input and output.
 *
 * ENGINE.mjs belongs to a runtime and exports `start(host, label, variant)`; PACKAGES is the folder of its npm packages and
 * of what the harness wrote for it. Nothing but frames may reach standard output, so what is printed goes to standard error.
 */

import {readFileSync, readSync, writeSync} from "node:fs";
import {createRequire} from "node:module";
import {join, sep} from "node:path";
import {pathToFileURL} from "node:url";

import {frameLength} from "./wire.mjs";
import {Worker} from "./worker.mjs";

const CHUNK = 1 << 20;

for (const name of ["log", "info", "warn", "debug"]) console[name] = console.error;

const [engineFile, packages, label, variant] = process.argv.slice(2);
const require = createRequire(join(packages, sep));

/** What an engine finds here; page.mjs has the same for pages. */
const host = {
  load: async (name) => require(name),
  place: (path) => join(packages, "node_modules", path),
  data: async (name) => JSON.parse(readFileSync(join(packages, name), "utf8")),
};

function send(bytes) {
  for (let at = 0; at < bytes.length; ) {
    try {
      at += writeSync(1, bytes, at);
    } catch (error) {
      if (error.code !== "EAGAIN") throw error;
    }
  }
}

/** The next bytes of standard input; none at its end. Reading blocks: there is nothing else to do meanwhile. */
function receive(room) {
  const length = readSync(0, room, 0, room.length, null);
  return room.slice(0, length); // a copy: models and tensors keep views of it
}

const {start} = await import(pathToFileURL(engineFile));
const worker = new Worker(await start(host, label, variant));
const room = new Uint8Array(CHUNK);
let waiting = new Uint8Array(0);
for (let chunk = receive(room); chunk.length; chunk = receive(room)) {
  const joined = new Uint8Array(waiting.length + chunk.length);
  joined.set(waiting);
  joined.set(chunk, waiting.length);
  waiting = joined;
  for (let length = frameLength(waiting); length && waiting.length >= length; length = frameLength(waiting)) {
    const [answer, last] = await worker.answer(waiting.subarray(0, length));
    waiting = waiting.subarray(length);
    send(answer);
    if (last) process.exit(0);
  }
}
