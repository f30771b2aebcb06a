const FACTORY_HEAD = "function instantiate(module) {\n";
/** The name of the wasm's custom section that holds the version: glue and wasm of different versions do not fit. */
const SECTION = "redlatch";

const factoryTail = (name) => `initSync({ module });
return { ${name}, memory: wasm.memory, abandon: (instance) => void instance.__destroy_into_raw() };
}
`;

/** By the ending of a script's name: how it exports what it has declared under `names`. */
export const EXPORTS = {
  js: (names) => `export { ${names.join(", ")} };\n`,
  cjs: (names) => names.map((name) => `exports.${name} = ${name};\n`).join(""),
};

/**
 * wasm-bindgen's module holds one instance for ever. Turned into a function, it makes a new instance at each call: a trap in
 * one client's instance then harms no other client, and a new instance can replace it. The asynchronous half, which
 * fetches, is removed, and so is the question whether the module is of this realm: it may be of another one. `name` is the
 * only class in the module; `ending` is that of the script, js or cjs.
 */
export function glueFactory(source, name, version, ending) {
  const body = source
    .replace(/^[ \t]*\/\*[\s\S]*?\*\/\n/gm, "")
    .replace(/^async function \w+\([\s\S]*?^}\n/gm, "")
    .replace(/^let __wbg_init_promise;\n/m, "")
    .replace(/^ *if \(!\(module instanceof WebAssembly\.Module\)\) \{\n.*\n *\}\n/m, "")
    .replace(`\nexport class ${name} `, `\nclass ${name} `)
    .replace(/^export \{ initSync, __wbg_init as default };\n/m, "")
    .replace(/\n{2,}/g, "\n")
    .trimStart();
  const needed = [`class ${name} {`, "function initSync(module)", "__destroy_into_raw()"];
  const foreign = /\b(?:export|import|async|await|fetch|__wbg_init|WebAssembly\.Module)\b(?!\w)/.exec(
    body,
  )?.[0];
  const missing = needed.find((text) => !body.includes(text));
  if (foreign !== undefined || missing !== undefined) {
    const problem = foreign === undefined ? `no "${missing}"` : `"${foreign}"`;
    throw new Error(`wasm-bindgen's output has an unexpected shape: found ${problem}; see build/glue.mjs`);
  }
  const exported = { section: SECTION, version };
  const constants = Object.entries(exported).map(([name, value]) => `const ${name} = "${value}";\n`);
  const names = ["instantiate", ...Object.keys(exported)];
  return constants.join("") + FACTORY_HEAD + body + factoryTail(name) + EXPORTS[ending](names);
}

/** The wasm with our section at its end, which engines ignore. */
export function stampWasm(bytes, version) {
  const field = (content) => Buffer.concat([Buffer.of(content.length), content]);
  const content = Buffer.concat([field(Buffer.from(SECTION)), Buffer.from(version)]);
  // Lengths up to 127 are one byte in LEB128.
  if (content.length > 127) throw new Error("the version is too long for a section of at most 127 bytes");
  return Buffer.concat([bytes, Buffer.of(0), field(content)]);
}
