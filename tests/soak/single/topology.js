// Servers that know nothing of each other: two with locks of their own, and three for Redlock.
import { order } from "../order.js";
import { Inspector } from "./inspector.js";
import { LONGEST_LEASE } from "./lanes.js";
import { startServer } from "./server.js";

/** Those for Redlock keep nothing when they crash. */
const SERVERS = [
  { group: "first", keeps: true },
  { group: "second", keeps: true },
  { group: "redlock", keeps: false },
  { group: "redlock", keeps: false },
  { group: "redlock", keeps: false },
];

/** Lock keys that an operator may delete. */
const LOCKS = "lock:*";

export const single = {
  name: "single",
  longestLease: LONGEST_LEASE,
  lanes: new URL("lanes.js", import.meta.url).href,
  servers: SERVERS,
  kinds: {
    "server stopped": [4, "server", (r) => ({ for: r.within(20, 3_000) })],
    "server killed": [
      1.5,
      "server",
      (r, { keeps }) => ({ for: keeps ? r.within(0, 1_000) : LONGEST_LEASE + 500 }),
    ],
    "scripts forgotten": [4, "server", () => ({ for: 0 })],
    "connections killed": [4, "server", () => ({ for: 0 })],
    "key deleted": [2, "server", (r) => ({ which: r.within(0, 999), for: 0 })],
    "all keys deleted": [0.3, "server", () => ({ for: 0 })],
  },
  rhythms: [],
  async open(scope, { checker, note }) {
    const servers = await Promise.all(SERVERS.map((kind) => startServer(scope, kind)));
    return {
      servers,
      options: (proxies) => optionsOf(servers, proxies),
      actions: actionsOn(servers, checker, note),
      inspector: new Inspector(servers, checker),
      excuse: () => undefined,
      report: () => ({}),
    };
  },
};

function optionsOf(servers, proxies) {
  const urls = {};
  for (const [at, { group }] of servers.entries()) {
    urls[group] ??= [];
    urls[group].push(proxies[at].url);
  }
  const entries = Object.entries(urls).map(([group, list]) => [
    group,
    list.length > 1 ? { nodes: list } : { url: list[0] },
  ]);
  return Object.fromEntries(entries);
}

function actionsOn(servers, checker, note) {
  const losing = (server, key, more) => checker.losing(server.group, key, more);
  const on = (action) => (fault, lasts) => action(servers[fault.server], lasts, fault);
  return {
    "server stopped": on(async ({ redis }, lasts) => {
      redis.pause();
      await lasts();
      redis.resume();
    }),
    "server killed": on(async (server, lasts) => {
      const over = server.keeps ? () => {} : losing(server, undefined, { restarted: true });
      await server.restart(lasts);
      over();
    }),
    "scripts forgotten": on((server) => order(server, "SCRIPT", "FLUSH")),
    "connections killed": on((server) => order(server, "CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")),
    "key deleted": on(async (server, _, { which }) => {
      const names = (await order(server, "KEYS", LOCKS)) ?? [];
      if (names.length === 0) return false;
      const name = names.sort()[which % names.length];
      note({ deleted: name });
      const over = losing(server, name.slice(LOCKS.length - 1));
      await order(server, "DEL", name);
      over();
    }),
    "all keys deleted": on(async (server) => {
      const over = losing(server);
      await order(server, "FLUSHALL");
      over();
    }),
  };
}
