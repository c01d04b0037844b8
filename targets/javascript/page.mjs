/**
 * The page that runs an engine: chromium.mjs calls `begin` once and `receive` with frames, and is called back with `answered`.
 */

import {Worker} from "./worker.mjs";

let worker = null;
let done = Promise.resolve();

/** What an engine finds here; node.mjs has the same for Node. `packages` is a path of this origin. */
function hostOf(packages) {
  const place = (path) => `${packages}/node_modules/${path}`;
  return {
    place,
    load: async (name, {module, imports, script, global}) => {
      if (imports) mapImports(Object.entries(imports).map(([key, path]) => [key, place(path)]));
      if (module) return import(place(`${name}/${module}`));
      await loadScript(place(`${name}/${script}`));
      return global.split(".").reduce((owner, key) => owner[key], globalThis);
    },
    data: async (name) => (await fetch(`${packages}/${name}`)).json(),
  };
}

/** Tell where modules are that packages name without a path. */
function mapImports(entries) {
  const element = document.createElement("script");
  element.type = "importmap";
  element.textContent = JSON.stringify({imports: Object.fromEntries(entries)});
  document.head.append(element);
}

function loadScript(address) {
  return new Promise((resolve, reject) => {
    const element = document.createElement("script");
    element.src = address;
    element.onload = resolve;
    element.onerror = () => reject(new Error(`${address} cannot be loaded`));
    document.head.append(element);
  });
}

/** Start the engine of a runtime; `engine` and `packages` are paths of this origin. */
globalThis.begin = async (engine, packages, label, variant) => {
  const {start} = await import(engine);
  worker = new Worker(await start(hostOf(packages), label, variant));
};

/** Answer frames, given as base64, one after the other and after those that came before. */
globalThis.receive = (frames) => {
  done = done.then(() => respond(frames));
};

/** So many milliseconds an answer may wait for others: each call of `answered` costs as much as a small model. */
const PATIENCE = 5;

async function respond(frames) {
  let [waiting, since] = [[], performance.now()];
  const flush = () => {
    globalThis.answered(waiting.join(" "));
    [waiting, since] = [[], performance.now()];
  };
  for (const frame of frames) {
    const [answer] = await worker.answer(Uint8Array.from(atob(frame), (letter) => letter.charCodeAt(0)));
    waiting.push(toBase64(answer));
    if (performance.now() - since > PATIENCE) flush();
  }
  if (waiting.length) flush();
}

/** `String.fromCharCode` takes so many arguments at once, and no more. */
const PIECE = 1 << 15;

function toBase64(bytes) {
  let text = "";
  for (let at = 0; at < bytes.length; at += PIECE) text += String.fromCharCode(...bytes.subarray(at, at + PIECE));
  return btoa(text);
}
