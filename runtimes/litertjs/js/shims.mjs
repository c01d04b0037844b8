/** What LiteRT.js, written for pages, looks for and Node has not: enough of it to load its machine code from files. */

import {readFileSync} from "node:fs";
import {createRequire} from "node:module";
import {dirname} from "node:path";
import {fileURLToPath} from "node:url";
import {runInThisContext} from "node:vm";

/** Put them into the global object. `host.place` finds files of packages. */
export function install(host) {
  const loader = host.place("@litertjs/core/wasm/litert_wasm_internal.js");
  globalThis.self = globalThis;
  globalThis.importScripts = (path) => runInThisContext(readFileSync(path, "utf8"), {filename: path});
  // Its loader, made by Emscripten, knows Node, but as a script of CommonJS.
  globalThis.require = createRequire(loader);
  globalThis.__filename = loader;
  globalThis.__dirname = dirname(loader);
}
