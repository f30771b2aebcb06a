// Each runtime gets the entry that is meant for it, with the runtime's own sockets.
import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import * as redlatch from "redlatch";
import { packageFolder } from "../support/redlatch.js";

const load = (file) => import(pathToFileURL(join(packageFolder, "dist", file)).href);

test("the package's name leads to the entry for this runtime", async () => {
  // The very same functions: no other way of asking says what was really loaded.
  const meant = await load("entry/node.js");
  assert.equal(redlatch.createClient, meant.createClient);
  assert.equal(redlatch.ready, meant.ready);
  const other = await load("entry/browser.js");
  assert.notEqual(redlatch.createClient, other.createClient, "the entries can be told apart");
});

test("all entries export the same names", async () => {
  const names = Object.keys(redlatch).sort();
  for (const file of ["entry/node.js", "entry/browser.js"]) {
    assert.deepEqual(Object.keys(await load(file)).sort(), names, file);
  }
});

test("ready compiles the core beforehand", async () => {
  await redlatch.ready();
});
