/**
 * The worker in Node: node node.mjs ENGINE.mjs PACKAGES LABEL VARIANT, frames on standard input and output.
 *
 * ENGINE.mjs belongs to a runtime and exports `start(host, label, variant)`; PACKAGES is the folder of its npm packages and
 * of what the harness wrote for it. Nothing but frames may reach standard output, so what is printed goes to standard error.
 */

import {readFileSync, readSync} from "node:fs";
import {createRequire} from "node:module";
import {join, sep} from "node:path";
import {pathToFileURL} from "node:url";

import {failWith, send} from "./stdio.mjs";
import {FrameReader} from "./wire.mjs";
import {Worker} from "./worker.mjs";

const CHUNK = 1 << 20;

for (const name of ["log", "info", "warn", "debug"]) console[name] = console.error;

const [engineFile, packages, label, variant] = process.argv.slice(2);
const require = createRequire(join(packages, sep));

/** What an engine finds here; page.mjs has the same for pages. */
const host = {
  /** What pages load as a script is CommonJS here; `import` would first search all of it for names, six times the work. */
  load: async (name, {script}) => (script ? require(name) : import(pathToFileURL(require.resolve(name)))),
  place: (path) => join(packages, "node_modules", path),
  data: async (name) => JSON.parse(readFileSync(join(packages, name), "utf8")),
};

/** The next bytes of standard input, a view of `room`; none at its end. It blocks: there is nothing else to do meanwhile. */
function receive(room) {
  return room.subarray(0, readSync(0, room, 0, room.length, null));
}

const reader = new FrameReader();
const room = new Uint8Array(CHUNK);
try {
  const {start} = await import(pathToFileURL(engineFile));
  const worker = new Worker(await start(host, label, variant));
  for (let bytes = receive(room); bytes.length; bytes = receive(room)) {
    for (const frame of reader.take(bytes.slice())) {
      const [answer, last] = await worker.answer(frame);
      send(answer);
      if (last) process.exit(0);
    }
  }
} catch (error) {
  failWith(error);
}
