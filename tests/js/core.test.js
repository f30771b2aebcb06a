// What the wasm imports, and what it exports.
import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { packageFolder } from "./support/redlatch.js";

const load = (name) => import(pathToFileURL(join(packageFolder, "dist/core", name)).href);
const [{ inlined }, { decode }] = await Promise.all([load("inline.js"), load("compiling.js")]);
const module = new WebAssembly.Module(decode(inlined));

test("the wasm imports randomness, what inspect() builds, errors and what the glue needs, nothing else", () => {
  const imports = WebAssembly.Module.imports(module).map(({ name }) => name.replace(/_[0-9a-f]{16}$/, ""));
  assert.deepEqual([...new Set(imports)].sort(), [
    "__wbg_Error",
    "__wbg___wbindgen_throw",
    "__wbg_getRandomValues",
    "__wbg_new",
    "__wbg_set",
    "__wbindgen_generic",
    "__wbindgen_init_externref_table",
  ]);
});

test("the wasm exports the façade and what the glue needs, nothing else", () => {
  const exports = WebAssembly.Module.exports(module).map(({ name }) => name);
  const facade = exports.filter((name) => name.startsWith("core_")).map((name) => name.slice(5));
  assert.deepEqual(facade.sort(), [
    "absence",
    "acquire",
    "add_node",
    "address",
    "busy",
    "cancel",
    "close",
    "closed",
    "cluster",
    "connected",
    "detail",
    "early",
    "extend",
    "inspect",
    "log_in",
    "new",
    "observe",
    "obstructed",
    "owed",
    "poll",
    "received",
    "refused",
    "release",
    "remaining",
    "room",
    "sentinels",
    "timeout",
    "verify",
    "voter",
  ]);
  const others = exports.filter((name) => !name.startsWith("core_"));
  const glue =
    /^(memory|__wbg_core_free|__wbindgen_\w+|__externref_table_(de)?alloc|__abort_handler|__instance_terminated)$/;
  assert.deepEqual(
    others.filter((name) => !glue.test(name)),
    [],
  );
});
