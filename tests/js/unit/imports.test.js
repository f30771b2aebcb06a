// The check of imports that `make lint` runs, over small trees of its own.
import assert from "node:assert/strict";
import { test } from "node:test";
import { breaches } from "../../lint/imports.js";

const FLOORS = { floors: "entry\n left | right\n ground other" };
const script = (files) => breaches(new Map(Object.entries(files)), FLOORS);
const rust = (files, rules) => breaches(new Map(Object.entries(files)), rules);

test("imports of lower floors, of one's own room and of the same floor are in order", () => {
  const found = script({
    "entry/a.ts":
      'import { b } from "../left/b.js";\nimport type { o } from "../other/o.js";\nimport "node:fs";',
    "left/b.ts": 'import { c } from "./c.js";\nexport * from "../ground/g.js";',
    "left/c.ts": "",
    "ground/g.d.ts": 'import type { o } from "../other/o.js";',
    "other/o.ts": "",
  });
  assert.deepEqual(found, []);
});

test("an import of a higher floor is a breach, of types and of whole modules too", () => {
  const entry = { "entry/a.ts": "" };
  for (const line of [
    'import type { a } from "../entry/a.js";',
    'import {\n  a,\n  b,\n} from "../entry/a.js";',
    'export * from "../entry/a.js";',
    'import "../entry/a.js";',
    'const a = await import("../entry/a.js");',
  ]) {
    assert.deepEqual(script({ ...entry, "ground/g.ts": line }), [
      'ground/g.ts imports entry/a.ts: "entry" is above "ground"',
    ]);
  }
});

test("an import between peers is a breach, and so is a file without a floor", () => {
  assert.deepEqual(script({ "left/a.ts": 'import { b } from "../right/b.js";', "right/b.ts": "" }), [
    'left/a.ts imports right/b.ts: "right" and "left" are peers, which import nothing from each other',
  ]);
  assert.deepEqual(script({ "cellar/a.ts": "" }), ["cellar/a.ts stands on no floor"]);
});

test("a circle is shown with all its files", () => {
  const found = script({
    "left/a.ts": 'import { b } from "./b.js";',
    "left/b.ts": 'import { c } from "./c.js";',
    "left/c.ts": 'import { a } from "./a.js";',
    "left/d.ts": 'import { a } from "./a.js";',
  });
  assert.deepEqual(found, ["circle: left/a.ts imports left/b.ts imports left/c.ts imports left/a.ts"]);
});

const HOUSE = {
  floors: "lib.rs\n engine\n lock/mod.rs\n lock\n ground.rs",
  exceptions: [["lib.rs", "top.rs"]],
};

test("in Rust, a path names the deepest module, whatever else is in its braces", () => {
  const found = rust(
    {
      "lib.rs": "mod engine;\npub use engine::Engine;",
      "engine/mod.rs": "mod event;\nuse crate::{\n  ground::{Clock, Time as T},\n  lock::{self, held},\n};",
      "engine/event.rs": "pub struct Event;",
      "lock/mod.rs": "mod held;\npub(crate) use held::Held;",
      "lock/held.rs": "use std::rc::Rc;\nuse crate::{engine::event::Event, ground};",
      "ground.rs": "",
    },
    HOUSE,
  );
  assert.deepEqual(found, ['lock/held.rs imports engine/event.rs: "engine" is above "lock"']);
});

test("in Rust, a name that a module only passes on counts as an import of where it is from", () => {
  const files = {
    "lib.rs": "",
    "engine/mod.rs": "mod event;\npub use event::Event;\nmod api;",
    "engine/event.rs": "",
    "engine/api.rs": "use super::Event;",
    "lock/mod.rs": "",
    "ground.rs": "fn of() { crate::engine::Event::new() }",
  };
  assert.deepEqual(rust(files, HOUSE), ['ground.rs imports engine/event.rs: "engine" is above "ground.rs"']);
  assert.deepEqual(
    rust({ ...files, "ground.rs": "", "engine/mod.rs": "mod api;\nuse api::run;\npub struct Event;" }, HOUSE),
    ["circle: engine/mod.rs imports engine/api.rs imports engine/mod.rs"],
  );
});

test("in Rust, tests, comments and strings are no imports", () => {
  const ground = `
    //! See [\`crate::engine\`].
    const TEXT: &str = "crate::engine";
    #[cfg(test)]
    use crate::engine::Engine;
    #[cfg(test)]
    mod tests { use super::*; fn a() { crate::engine::run() } }
    #[cfg(test)]
    mod more;
  `;
  const files = {
    "lib.rs": "",
    "engine/mod.rs": "",
    "engine/tests.rs": "use crate::engine;",
    "ground.rs": ground,
  };
  assert.deepEqual(rust(files, HOUSE), []);
});

test("exceptions are no imports, and a room for some is for no others", () => {
  const files = { "lib.rs": "mod top;\npub use top::Core;", "top.rs": "use crate::Core2;", "ground.rs": "" };
  const rules = { ...HOUSE, floors: `top.rs\n ${HOUSE.floors}`, only: { "ground.rs": ["top.rs"] } };
  assert.deepEqual(rust(files, rules), []);
  assert.deepEqual(rust({ ...files, "engine/mod.rs": "use crate::ground::Clock;" }, rules), [
    'engine/mod.rs imports ground.rs: "ground.rs" is only for top.rs',
  ]);
});
