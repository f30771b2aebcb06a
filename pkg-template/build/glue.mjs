const FACTORY_HEAD = "export function instantiate(module) {\n";
/** The wasm's custom section with the version: the glue and the wasm of two versions do not fit each other. */
const SECTION = "redlatch";

const factoryTail = (name) => `initSync({ module });
return { ${name}, abandon: (instance) => void instance.__destroy_into_raw() };
}
`;

/**
 * wasm-bindgen's module holds one instance for ever. As a function it makes one per call: a trap in one client's
 * instance then hurts no other client, and a new one can take its place. The asynchronous half, which fetches, goes. `name`
 * is that of the one class in it.
 */
export function glueFactory(source, name, version) {
  const body = source
    .replace(/^[ \t]*\/\*[\s\S]*?\*\/\n/gm, "")
    .replace(/^async function \w+\([\s\S]*?^}\n/gm, "")
    .replace(/^let __wbg_init_promise;\n/m, "")
    .replace(`\nexport class ${name} `, `\nclass ${name} `)
    .replace(/^export \{ initSync, __wbg_init as default };\n/m, "")
    .replace(/\n{2,}/g, "\n")
    .trimStart();
  const needed = [`class ${name} {`, "function initSync(module)", "__destroy_into_raw()"];
  const foreign = /\b(?:export|import|async|await|fetch|__wbg_init)\b(?!\w)/.exec(body)?.[0];
  const missing = needed.find((text) => !body.includes(text));
  if (foreign !== undefined || missing !== undefined) {
    const problem = foreign === undefined ? `no "${missing}"` : `"${foreign}"`;
    throw new Error(`wasm-bindgen's output has changed its shape: there is ${problem}; see build/glue.mjs`);
  }
  const exported = { section: SECTION, version };
  const constants = Object.entries(exported).map(([name, value]) => `export const ${name} = "${value}";\n`);
  return constants.join("") + FACTORY_HEAD + body + factoryTail(name);
}

/** The wasm with a section of ours at its end, which engines pass over. */
export function stampWasm(bytes, version) {
  const field = (content) => Buffer.concat([Buffer.of(content.length), content]);
  const content = Buffer.concat([field(Buffer.from(SECTION)), Buffer.from(version)]);
  // Lengths up to 127 are one byte in LEB128.
  if (content.length > 127) throw new Error("the version is too long for this way to write a section");
  return Buffer.concat([bytes, Buffer.of(0), field(content)]);
}

/** The wasm as a module of text, which no bundler can lose. */
export function inlineModule(bytes) {
  return `export const base64 =\n  "${bytes.toString("base64")}";\n`;
}
