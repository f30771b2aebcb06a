// `node panics.mjs FILE`: lets a panic in the wasm trap at once. Without this, it formats a message that nobody reads before
// it traps, and the wasm contains the code for that. Rust can leave it out only when it compiles the standard library itself,
// which needs a nightly toolchain. wasm-opt then removes what is no longer called.
import { readFileSync, writeFileSync } from "node:fs";
import binaryen from "binaryen";

/** The names of functions that never return, without the crates' hashes: panics, and running out of memory. */
const PANICS = [
  /^core::panicking::/,
  /^core::(?:option|result)::(?:unwrap|expect)_failed$/,
  /^core::(?:slice|str)::(?:\w+::)*\w+_fail(?:_rt)?$/,
  /^core::cell::panic_/,
  /::panic_on_ord_violation$/,
  /::assert_failed$/,
  /::(?:handle_error|capacity_overflow)$/,
  /^std::thread::local::panic_access_error$/,
  /::rust_begin_unwind$/,
  /::rust_oom$/,
];

/** What only the message of a panic needs; called through a table, where wasm-opt must keep it. */
const MESSAGES = /^<std::panicking::/;

/** As in the Makefile: what is written with others, runtimes would refuse. */
const { Features } = binaryen;
const FEATURES = [
  Features.BulkMemory,
  Features.BulkMemoryOpt,
  Features.CallIndirectOverlong,
  Features.NontrappingFPToInt,
  Features.SignExt,
  Features.MutableGlobals,
  Features.Multivalue,
  Features.ReferenceTypes,
];

const file = process.argv[2];
binaryen.setDebugInfo(true);
const module = binaryen.readBinary(readFileSync(file));
module.setFeatures(FEATURES.reduce((all, feature) => all | feature, Features.MVP));
for (let index = 0; index < module.getNumFunctions(); index += 1) {
  const func = module.getFunctionByIndex(index);
  const { name, module: from } = binaryen.getFunctionInfo(func);
  const plain = name.replace(/\[[0-9a-f]{16}\]|::h[0-9a-f]{16}$/g, "");
  const is = from === "" && (MESSAGES.test(plain) || PANICS.some((panic) => panic.test(plain)));
  if (is) binaryen.Function.setBody(func, module.unreachable());
}
if (!module.validate()) throw new Error(`${file} is not valid without its panics`);
writeFileSync(file, module.emitBinary());
