// The CommonJS copy beside the ES modules: what the two share, and that stacks lead to lines that can be read.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { after, test } from "node:test";
import { execute, runtimes } from "./support/runtimes.js";
import { installedProject } from "./support/tarball.js";

const cwd = await installedProject({ after });

for (const [name, command] of Object.entries(runtimes)) {
  const reading = name === "Deno" ? ["--allow-read=."] : [];
  test(`${name}: the two copies know each other's errors, locks and servers`, async () => {
    const { status, stdout, stderr } = await execute([...command, ...reading, "copies.js"], { cwd });
    assert.equal(status, 0, stderr);
    assert.deepEqual(JSON.parse(stdout), {
      two: true,
      sameNames: true,
      fromRequired: 9,
      fromImported: 9,
      fence: true,
      refusal: true,
      replaceable: true,
    });
  });
}

for (const kind of ["ES modules", "CommonJS"]) {
  test(`${kind}: a stack leads to the package's own files, and to lines that can be read`, async () => {
    const require = createRequire(join(cwd, "program.js"));
    const file = require.resolve("redlatch").replace(/\.cjs$/, kind === "CommonJS" ? ".cjs" : ".js");
    const { createClient } = kind === "CommonJS" ? require("redlatch") : await import(file);
    const { stack } = await createClient("redis://127.0.0.1:1")
      .acquire("")
      .catch((error) => error);
    const frames = [
      ...stack.matchAll(/^ +at (?:new )?([\w.#]+) \((?:file:\/\/)?(.*?\.c?js):(\d+):(\d+)\)$/gm),
    ];
    const ours = frames.filter(([, , path]) => path.includes("/redlatch/dist/"));
    assert.ok(ours.length >= 2, stack);
    assert.ok(
      ours.some(([, called]) => called.endsWith("parseRequest")),
      stack,
    );
    for (const [frame, , path, line, column] of ours) {
      const text = readFileSync(path, "utf8").split("\n")[line - 1];
      assert.ok(text.length < 200, `${frame}: ${text.length} characters`);
      assert.ok(column <= text.length, frame);
    }
  });
}
