import assert from "node:assert/strict";
import { test } from "node:test";
import { nameOf, parseUrl } from "../../../pkg/dist/options/url.js";

const tcp = (host, port, rest = {}) => ({
  address: { host, port, tls: false, tlsOptions: {}, path: null },
  user: "",
  password: "",
  database: 0,
  ...rest,
});
const unix = (path, rest = {}) => ({
  address: { host: "", port: 0, tls: false, tlsOptions: {}, path },
  user: "",
  password: "",
  database: 0,
  ...rest,
});
const tls = (host, port) => ({
  ...tcp(host, port),
  address: { host, port, tls: true, tlsOptions: {}, path: null },
});

const good = [
  ["redis://localhost", tcp("localhost", 6379)],
  ["redis://localhost:", tcp("localhost", 6379)],
  ["REDIS://Example.org:7000/", tcp("Example.org", 7000)],
  ["redis://127.0.0.1:6380/15", tcp("127.0.0.1", 6380, { database: 15 })],
  ["redis://[::1]:6380/2", tcp("::1", 6380, { database: 2 })],
  ["redis://[fe80::1%eth0]", tcp("fe80::1%eth0", 6379)],
  ["redis://u:p@h", tcp("h", 6379, { user: "u", password: "p" })],
  ["redis://:p@h", tcp("h", 6379, { password: "p" })],
  ["redis://@h", tcp("h", 6379)],
  ["redis://u%40x:p%3A%2f%C3%A4@h:1", tcp("h", 1, { user: "u@x", password: "p:/ä" })],
  ["redis://u:a@b:c@h:1", tcp("h", 1, { user: "u", password: "a@b:c" })],
  ["redis://u:@h", tcp("h", 6379, { user: "u" })],
  ["redis://:@h", tcp("h", 6379)],
  ["valkey://u:p@h:1/2", tcp("h", 1, { user: "u", password: "p", database: 2 })],
  ["ValKeys://h", tls("h", 6379)],
  ["rediss://h", tls("h", 6379)],
  ["rediss://[::1]:6390", tls("::1", 6390)],
  ["unix:///tmp/r.sock", unix("/tmp/r.sock")],
  ["unix:///tmp/a%20b.sock?db=3", unix("/tmp/a b.sock", { database: 3 })],
  ["redis+unix://u:p@/tmp/r.sock", unix("/tmp/r.sock", { user: "u", password: "p" })],
  ["/tmp/r?.sock", unix("/tmp/r?.sock")],
];

for (const [url, endpoint] of good)
  test(`accepts ${url}`, () => assert.deepEqual(parseUrl(url, "url"), endpoint));

const bad = [
  ["", TypeError],
  ["localhost", TypeError],
  ["localhost:6379", TypeError],
  ["http://canary@h", TypeError],
  ["redis:h", TypeError],
  ["redis://", TypeError],
  ["redis://:6379", TypeError],
  ["redis://canary@h", TypeError],
  ["valkeyss://:canary@h", TypeError],
  ["redis://:canary%zz@h", TypeError],
  ["redis://:canary/x@h", TypeError],
  ["redis://:canary@h ", TypeError],
  ["redis://:canary@h:0", RangeError],
  ["redis://:canary@h:65536", RangeError],
  ["redis://:canary@h:1x", TypeError],
  ["redis://:canary@h/-1", RangeError],
  ["redis://:canary@h/1.5", RangeError],
  ["redis://:canary@h/x", RangeError],
  ["redis://:canary@h/1/2", RangeError],
  ["redis://:canary@h?password=canary", TypeError],
  ["redis://:canary@h#canary", TypeError],
  ["redis://:canary@[::1", TypeError],
  ["redis://:canary@::1", TypeError],
  ["unix://:canary@h/tmp/x", TypeError],
  ["unix:///tmp/x?canary=1", TypeError],
  ["unix://", TypeError],
  ["unix:///", TypeError],
  ["/", TypeError],
];

for (const [url, type] of bad) {
  test(`refuses ${url}`, () => {
    assert.throws(
      () => parseUrl(url, "nodes[0]"),
      (error) => {
        assert.equal(Object.getPrototypeOf(error), type.prototype);
        assert.match(error.message, /^nodes\[0\]: /);
        assert.match(error.message, /redis:\/\/|integer from/);
        assert.doesNotMatch(
          `${error.stack} ${JSON.stringify(error)} ${error.cause}`.split("\n    at ")[0],
          /canary/,
        );
        return true;
      },
    );
  });
}

for (const url of [
  "redis://u:can/ary@h",
  "redis://u:p@can/ary@h:6379/0",
  "redis://u:p@can?ary@h",
  "rediss://u:can#ary@h",
]) {
  test(`says that a password must be encoded: ${url}`, () => {
    assert.throws(
      () => parseUrl(url, "url"),
      (error) =>
        /percent-encoded, as encodeURIComponent does/.test(error.message) && !/ary/.test(error.message),
    );
  });
}

for (const [url, wrapping] of [
  [" redis://:canary@h", /begins with whitespace/],
  ["redis://:canary@h\t", /ends with whitespace/],
  ["redis://:canary@h\n", /ends with a line break/],
  ["redis://:canary@h\r\n", /ends with a line break/],
  ["\nredis://:canary@h", /begins with a line break/],
  ["\ufeffrediss://:canary@h", /begins with whitespace/],
  [" /tmp/canary.sock", /begins with whitespace/],
  ['"redis://:canary@h"', /is in quotation marks/],
  ["'redis://:canary@h'", /is in quotation marks/],
]) {
  test(`names what surrounds ${JSON.stringify(url)}`, () => {
    assert.throws(
      () => parseUrl(url, "url"),
      (error) => {
        assert.match(error.message, wrapping);
        assert.match(error.message, /remove it/);
        assert.doesNotMatch(error.message, /canary/);
        return true;
      },
    );
  });
}

test("names a server without credentials", () => {
  assert.equal(nameOf(parseUrl("redis://u:p@h:1", "url").address), "h:1");
  assert.equal(nameOf(parseUrl("redis://u:p@[::1]", "url").address), "[::1]:6379");
  assert.equal(nameOf(parseUrl("unix:///tmp/s", "url").address), "/tmp/s");
});
