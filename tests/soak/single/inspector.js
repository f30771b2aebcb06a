// What is on the servers.
import { DERIVED } from "../locks.js";
import { order } from "../order.js";
import { LONGEST_LEASE } from "./lanes.js";

/** Keys that never expire, and locks that are kept for longer than anybody asked. */
const STRAY = `local stray = {}
for _, key in ipairs(redis.call('KEYS', '*')) do
  local left = redis.call('PTTL', key)
  local is_lock = key:sub(1, 5) == 'lock:' and key:sub(1, #ARGV[2]) ~= ARGV[2]
  if left == -1 or (is_lock and left > tonumber(ARGV[1])) then
    table.insert(stray, key .. ' (' .. left .. ' ms)')
  end
end
return stray`;

export class Inspector {
  #servers;
  #checker;

  constructor(servers, checker) {
    this.#servers = servers;
    this.#checker = checker;
  }

  async look() {
    const found = await Promise.all(
      this.#servers.map((server) => order(server, "EVAL", STRAY, 0, LONGEST_LEASE, DERIVED)),
    );
    for (const key of found.flat().filter((key) => key !== undefined))
      this.#checker.violated("expiry", `${key} is kept for too long`);
  }

  /** Locks on any server. */
  async left() {
    return (await Promise.all(this.#servers.map((server) => order(server, "KEYS", "lock:*"))))
      .flat()
      .filter((key) => key !== undefined && !key.startsWith(DERIVED));
  }
}
