/**
 * Hooks of Node's loader for modules of tfjs-core as they are written: the package says nothing of ES modules, and its
 * imports leave the extension out, as bundlers like it.
 */

const SOURCES = "/@tensorflow/tfjs-core/dist/";

/** Add the extension that an import inside tfjs-core leaves out. */
export function resolve(specifier, context, next) {
  const inner = specifier.startsWith(".") && context.parentURL?.includes(SOURCES) && !specifier.endsWith(".js");
  return next(inner ? `${specifier}.js` : specifier, context);
}

/** Take files of tfjs-core that an import names for ES modules, but for the bundles of CommonJS. */
export function load(url, context, next) {
  const source = url.includes(SOURCES) && !/\/tf-core\.[a-z0-9.]*js$/.test(url);
  return next(url, source ? {...context, format: "module"} : context);
}
