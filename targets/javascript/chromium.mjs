/**
 * The worker in headless Chromium: node chromium.mjs BROWSER DRIVER ENGINE.mjs PACKAGES LABEL VARIANT, frames on standard
 * input and output. DRIVER is the folder of Playwright; the rest is as for node.mjs.
 *
 * The engine runs in a page. Playwright talks to Chromium over a pipe and answers every request of the page itself, so
 * nothing listens on a port and nothing is asked of a network. Frames go in and out of the page as base64. BYE ends the
 * page, and the next frame loads a fresh one into the tab; BYE without a page ends Chromium and this process.
 */

import {mkdtempSync, readFileSync, realpathSync, rmSync} from "node:fs";
import {createRequire} from "node:module";
import {tmpdir} from "node:os";
import {dirname, extname, join, normalize, sep} from "node:path";
import {fileURLToPath, pathToFileURL} from "node:url";

import {fail, failWith, send} from "./stdio.mjs";
import {BYE, decodeFrame, encodeFrame, FrameReader, GONE} from "./wire.mjs";

const HERE = realpathSync(dirname(fileURLToPath(import.meta.url)));
const ORIGIN = "http://localhost";
const TYPES = {
  ".html": "text/html", ".js": "text/javascript", ".json": "application/json", ".mjs": "text/javascript",
  ".wasm": "application/wasm",
};
/** Beside Playwright's own: no host has an address, and nothing that a page of arithmetic can do without. */
const FLAGS = ["--host-resolver-rules=MAP * ~NOTFOUND", "--disable-gpu", "--disable-quic", "--disable-sync"];

const [browser, driver, engineFile, packagesFolder, label, variant] = process.argv.slice(2);
const [engine, packages] = [engineFile, packagesFolder].map((path) => realpathSync(path));
const roots = [HERE, dirname(engine), packages];
const {chromium} = createRequire(join(driver, sep))("playwright-core");

/** Start Chromium. All it writes is in one folder, which browser.sh removes after it if this process is killed. */
async function launch() {
  const room = mkdtempSync(join(tmpdir(), "opconform-chromium-"));
  const clear = () => rmSync(room, {recursive: true, force: true, maxRetries: 10});
  process.env.TMPDIR = room;
  const env = {...process.env, OPCONFORM_CHROMIUM: browser, OPCONFORM_ROOM: room};
  const executablePath = join(HERE, "browser.sh");
  const folder = join(room, "profile");
  const context = await chromium.launchPersistentContext(folder, {executablePath, env, args: FLAGS}).catch((error) => {
    clear();
    fail(`${browser} does not start: ${error.message}`);
  });
  process.on("exit", clear); // after Playwright's own listener, which kills browser.sh as well
  return context;
}

/** Answer a request of the page with a file of one of the folders; the path of its address is the file's. */
function serve(route) {
  const {origin, pathname} = new URL(route.request().url());
  const path = normalize(decodeURIComponent(pathname)), type = TYPES[extname(path)];
  if (origin !== ORIGIN || !type || !roots.some((root) => path.startsWith(root + sep))) return route.abort();
  try {
    return route.fulfill({body: readFileSync(path), contentType: type});
  } catch {
    return route.fulfill({status: 404});
  }
}

/** Return the tab of Chromium, and its own protocol: what the page answers goes to standard output. */
async function openTab(context) {
  const [tab] = context.pages();
  tab.on("crash", () => fail("the tab of Chromium crashed, here or a little later: its last answers are lost"));
  tab.on("pageerror", failWith);
  tab.on("console", (message) => console.error(message.text()));
  const session = await context.newCDPSession(tab);
  await session.send("Runtime.enable");
  await session.send("Runtime.addBinding", {name: "answered"});
  session.on("Runtime.bindingCalled", ({payload}) => send(decoded(payload)));
  return [tab, session];
}

/** The bytes of pieces of base64. */
function decoded(pieces) {
  return Buffer.concat(pieces.split(" ").map((piece) => Buffer.from(piece, "base64")));
}

/** Load a fresh page with the engine. */
async function loadPage() {
  const [start, ...places] = [join(HERE, "page.html"), engine, packages].map((path) => pathToFileURL(path).pathname);
  await tab.goto(ORIGIN + start);
  await tab.evaluate((given) => globalThis.begin(...given), [...places, label, variant]);
}

/** Give frames to the page. */
function pass(frames) {
  const texts = frames.map((frame) => Buffer.from(frame).toString("base64"));
  const expression = `receive(${JSON.stringify(texts)})`;
  session.send("Runtime.evaluate", {expression, silent: true}).catch(() => {}); // the tab crashed, and that is said
}

const context = await launch();
let [loaded, ending] = [false, false];
context.on("close", () => ending || fail("Chromium ended"));
await context.route("**", serve);
const [tab, session] = await openTab(context);

/** End the page, or, where there is none, Chromium and this process. */
async function part(sequence) {
  ending = !loaded;
  if (ending) await context.close();
  loaded = false;
  send(encodeFrame(GONE, sequence));
  if (ending) process.exit(0);
}

const reader = new FrameReader();
try {
  for await (const bytes of process.stdin) {
    const frames = [...reader.take(bytes)];
    const {kind, sequence} = frames.length ? decodeFrame(frames.at(-1)) : {};
    if (kind === BYE) {
      await part(sequence);
    } else if (frames.length) {
      if (!loaded) await loadPage().catch((error) => fail(`the engine does not start in Chromium: ${error.message}`));
      loaded = true;
      pass(frames);
    }
  }
} catch (error) {
  failWith(error);
}
ending = true;
await context.close();
