import assert from "node:assert/strict";
import { test } from "node:test";
import { nameOf, parseUrl } from "../../../pkg/dist/options/url.js";

// FUZZ_SEED=n for others than every time's.
const SEED = Number(process.env.FUZZ_SEED ?? 1);
const CASES = 20_000;
const SECRET = "Qz7kWv93";

/** Random numbers below `n`, the same for the same seed (mulberry32, Tommy Ettinger 2017). */
function generator(seed) {
  let state = seed >>> 0;
  return (n) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 2 ** 32) * n);
  };
}

const SCHEMES = ["redis", "rediss", "REDIS", "unix", "redis+unix", "http", "", "1x"];
const HOSTS = ["h", "example.org", "127.0.0.1", "[::1]", "[fe80::1%eth0]", "a%20b", "-", "ä", ""];
const CHARACTERS = [..."aZ09:/?#@[]%&=+ .\\\"'\t\n\0äß€😀"];

const one = (random, list) => list[random(list.length)];
const several = (random, most, item) => Array.from({ length: random(most + 1) }, () => item()).join("");

/** The URL of an endpoint; `bare` if the password shows what it may without being encoded. */
function urlOf({ address, user, password, database }, bare = false) {
  let secret = encodeURIComponent(password);
  if (bare) secret = secret.replaceAll("%3A", ":").replaceAll("%40", "@");
  const login = user === "" && password === "" ? "" : `${encodeURIComponent(user)}:${secret}@`;
  if (address.path !== null) {
    const path = address.path.split("/").map(encodeURIComponent).join("/");
    return `unix://${login}${path}?db=${database}`;
  }
  const host = address.host.includes(":") ? `[${address.host}]` : address.host;
  return `${address.tls ? "rediss" : "redis"}://${login}${host}:${address.port}/${database}`;
}

function endpointOf(random) {
  const text = () => several(random, 12, () => one(random, CHARACTERS));
  const password = random(3) > 0 ? `x${text()}` : "";
  const local = random(3) === 0;
  const host = one(random, ["h", "example.org", "127.0.0.1", "::1", "fe80::1%eth0"]);
  return {
    address: local
      ? { host: "", port: 0, tls: false, tlsOptions: {}, path: `/x${text()}` }
      : { host, port: 1 + random(65535), tls: random(2) === 0, tlsOptions: {}, path: null },
    user: password === "" ? "" : text(),
    password,
    database: one(random, [0, 1, 15, 2 ** 31 - 1]),
  };
}

/** Something that begins like a URL, with the secret somewhere. */
function almostUrl(random) {
  const noise = () => several(random, 4, () => one(random, [...CHARACTERS, SECRET, "%zz", "%"]));
  const part = (list) => (random(4) === 0 ? noise() : one(random, list));
  const parts = [
    part(SCHEMES),
    part(["://", ":///", ":", ":/"]),
    part([`${SECRET}@`, `:${SECRET}@`, `u:${SECRET}@`, `${SECRET}:@`, `u:${SECRET}%@`, `${SECRET}:p@`, "@"]),
    part([...HOSTS, SECRET]),
    part(["", ":", ":6379", ":0", ":65536", ":1x", `:${SECRET}`]),
    part(["", "/", "/0", "/2147483648", "/-1", `/${SECRET}`, "/a/b"]),
    part(["", "?", "?db=1", "?db=x", `?db=${SECRET}`, `?password=${SECRET}`, `#${SECRET}`]),
  ];
  if (random(5) === 0) parts.splice(random(parts.length), 1);
  return random(20) === 0 ? `/${noise()}` : parts.join("");
}

/** Everything of an error that may end up in a log, but for the lines that name source files. */
function textOf(error) {
  const stack = String(error.stack).split("\n    at ")[0];
  const own = JSON.stringify(
    error,
    Object.getOwnPropertyNames(error).filter((name) => name !== "stack"),
  );
  return [error.message, stack, own, error.cause].join(" ");
}

test("every endpoint is read back from its URL", () => {
  const random = generator(SEED);
  for (let n = 0; n < CASES; n += 1) {
    const endpoint = endpointOf(random);
    const url = urlOf(endpoint, n % 2 === 0);
    assert.deepEqual(parseUrl(url, "url"), endpoint, `case ${n} of seed ${SEED}: ${JSON.stringify(url)}`);
  }
});

test("whatever the URL, it is read as what reads back the same, or refused without any part of a secret", () => {
  const random = generator(SEED);
  let [read, refused] = [0, 0];
  for (let n = 0; n < CASES; n += 1) {
    const url = almostUrl(random);
    const which = `case ${n} of seed ${SEED}: ${JSON.stringify(url)}`;
    let endpoint;
    try {
      endpoint = parseUrl(url, "nodes[0]");
    } catch (error) {
      refused += 1;
      assert.ok([TypeError.prototype, RangeError.prototype].includes(Object.getPrototypeOf(error)), which);
      assert.match(error.message, /^nodes\[0\]: /, which);
      const told = textOf(error);
      for (let at = 0; at + 3 <= SECRET.length; at += 1)
        assert.ok(!told.includes(SECRET.slice(at, at + 3)), `${which}: ${told}`);
      continue;
    }
    read += 1;
    const { address, password, database } = endpoint;
    assert.deepEqual(parseUrl(urlOf(endpoint), "url"), endpoint, which);
    const isTcp = address.path === null && address.host !== "" && address.port >= 1 && address.port <= 65535;
    assert.ok(isTcp || address.path?.startsWith("/"), which);
    assert.ok(Number.isInteger(database) && database >= 0 && database < 2 ** 31, which);
    const shown = address.path ?? address.host;
    if (password.includes(SECRET) && !shown.includes(SECRET))
      assert.ok(!nameOf(address).includes(SECRET), which);
  }
  // Both happened often enough to mean something.
  assert.ok(read > CASES / 50 && refused > CASES / 10, `${read} read, ${refused} refused`);
});
