// What a user may do on the tests' servers.
import { readFileSync } from "node:fs";

const readme = readFileSync(new URL("../../../README.md", import.meta.url), "utf8");

/** The rights that the README asks for, as words of ACL SETUSER: all that the package's own connections have here. */
export const NEEDED = /^ +on (~lock:.*(?:\n +.*)*)$/m.exec(readme)?.[1].split(/\s+/) ?? [];
if (!NEEDED.includes("+evalsha")) throw new Error("the README does not list the rights that a user needs");

/** The same for another prefix than the `lock:` that the README's line is for. */
export const neededFor = (prefix) => NEEDED.map((right) => right.replace(/^([~&])lock:/, `$1${prefix}`));

/** The same for any prefix. */
export const ANY_PREFIX = neededFor("");

/** What a user of a cluster needs beside them. */
export const NEEDED_IN_CLUSTER = [...NEEDED, "+cluster|slots", "+asking"];

/** The same if wake-ups are published on shard channels. */
export const NEEDED_IF_SHARDED = [...NEEDED_IN_CLUSTER, "+ssubscribe", "+sunsubscribe", "+spublish"];

/** What a user of sentinels needs, as the README says. */
export const NEEDED_OF_SENTINEL = /^ +on (-@all .*)$/m.exec(readme)?.[1].split(/\s+/) ?? [];
if (!NEEDED_OF_SENTINEL.includes("+subscribe"))
  throw new Error("the README does not list the rights that a user of sentinels needs");

/** For other clients and libraries, which send commands of their own. */
export const ALL = ["~*", "&*", "+@all"];
