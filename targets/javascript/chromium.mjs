/**
 * The worker in headless Chromium: node chromium.mjs BROWSER DRIVER ENGINE.mjs PACKAGES LABEL VARIANT, frames on standard
 * input and output. DRIVER is the folder of Playwright; the rest is as for node.mjs.
 *
 * The engine runs in a page. Playwright talks to Chromium over a pipe and answers every request of the page itself, so
 * nothing listens on a port and nothing is asked of a network. Frames go in and out of the page as base64.
 */

import {mkdtempSync, readFileSync, realpathSync, rmSync} from "node:fs";
import {createRequire} from "node:module";
import {tmpdir} from "node:os";
import {dirname, extname, join, sep} from "node:path";
import {fileURLToPath} from "node:url";

import {answerBadFrame, send} from "./stdio.mjs";
import {decodeFrame, FrameReader, GONE} from "./wire.mjs";

const HERE = dirname(fileURLToPath(import.meta.url));
const ORIGIN = "http://localhost";
const TYPES = {
  ".html": "text/html", ".js": "text/javascript", ".json": "application/json", ".mjs": "text/javascript",
  ".wasm": "application/wasm",
};
/** Beside Playwright's own: no host has an address, and no part of Chromium that a page of arithmetic needs not. */
const FLAGS = ["--host-resolver-rules=MAP * ~NOTFOUND", "--disable-gpu", "--disable-quic", "--disable-sync"];

const [browser, driver, engine, packages, label, variant] = process.argv.slice(2);
const {chromium} = createRequire(join(driver, sep))("playwright-core");
const roots = [HERE, dirname(engine), packages].map((folder) => realpathSync(folder));
const room = mkdtempSync(join(tmpdir(), "opconform-chromium-"));

/** Answer a request of the page with a file of one of the folders; the path of its address is the file's. */
function serve(route) {
  const {origin, pathname} = new URL(route.request().url());
  const type = TYPES[extname(pathname)];
  try {
    const file = realpathSync(decodeURIComponent(pathname));
    if (origin !== ORIGIN || !type || !roots.some((root) => file.startsWith(root + sep))) return route.abort();
    return route.fulfill({body: readFileSync(file), contentType: type});
  } catch {
    return route.fulfill({status: 404});
  }
}

/** End with the line that a report shows. */
function fail(line) {
  console.error(line.split("\n")[0]);
  process.exit(1);
}

/** Chromium and all it writes live in `room`, which browser.sh removes when it ends, however this process ended. */
async function launch() {
  process.env.TMPDIR = room;
  return chromium.launchPersistentContext(join(room, "profile"), {
    executablePath: join(HERE, "browser.sh"),
    env: {...process.env, OPCONFORM_CHROMIUM: browser, OPCONFORM_ROOM: room},
    args: FLAGS,
  });
}

const context = await launch().catch((error) => {
  rmSync(room, {recursive: true, force: true});
  fail(`${browser} does not start: ${error.message}`);
});
context.on("close", () => fail("Chromium ended"));
await context.route("**", serve);
const page = context.pages()[0];
page.on("crash", () => fail("the tab of Chromium crashed"));
page.on("console", (message) => console.error(message.text()));
const session = await context.newCDPSession(page);
await session.send("Runtime.enable");
await session.send("Runtime.addBinding", {name: "answered"});
session.on("Runtime.bindingCalled", ({payload}) => answered(Buffer.from(payload, "base64")));
await page.goto(`${ORIGIN}${realpathSync(join(HERE, "page.html"))}`);
await page.evaluate((given) => globalThis.begin(given), {engine: roots[1] + engine.slice(dirname(engine).length), packages: roots[2], label, variant})
  .catch((error) => fail(`the engine does not start in Chromium: ${error.message}`));

/** Pass a frame on; before the last one Chromium is closed, since the harness ends this process after it. */
async function answered(frame) {
  if (decodeFrame(frame).kind === GONE) {
    context.removeAllListeners("close");
    await context.close();
    send(frame);
    process.exit(0);
  }
  send(frame);
}

const reader = new FrameReader();
try {
  for await (const bytes of process.stdin) {
    const frames = reader.take(bytes);
    const expression = `receive(${JSON.stringify(frames.map((frame) => Buffer.from(frame).toString("base64")))})`;
    if (frames.length) session.send("Runtime.evaluate", {expression, silent: true}).catch(() => {}); // it crashed
  }
  await context.close();
} catch (error) {
  answerBadFrame(error);
}
