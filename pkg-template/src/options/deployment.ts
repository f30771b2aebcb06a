import type { Transport } from "../types/transport.js";
import type { Locate } from "./announced.js";
import { type Defaults, type Node, parseNode } from "./nodes.js";
import { check, kindOf } from "./validate.js";

/** How the servers of a group belong together, and what the client needs to know of those that are only announced. */
export type Deployment = {
  /** What such a server is like. */
  readonly pattern: Node;
  readonly locate: Locate;
} & (
  | {
      readonly kind: "cluster";
      /** The seeds' addresses as the cluster announces them, `host:port`, one per line. */
      readonly addresses: string;
      /** Whether wake-ups are published on shard channels. */
      readonly sharded: boolean;
    }
  | {
      readonly kind: "sentinel";
      /** The name under which the sentinels know the master. */
      readonly master: string;
    }
);

/** A vote: a server, or a group of them. A group has no deployment if the URL of one of its servers is not set. */
export interface Voter {
  /** The servers in the options. */
  readonly nodes: readonly Node[];
  readonly deployment: Deployment | undefined;
}

/** Checks a list of at least one server, which errors call `name`, and each of them `nameAt(index)`. */
export function parseServers(
  name: string,
  urls: unknown,
  nameAt: (index: number) => string,
  defaults: Defaults,
): [Node, ...Node[]] {
  if (!Array.isArray(urls)) throw new TypeError(`${name} must be an array of URLs; got ${kindOf(urls)}`);
  const [first, ...others] = Array.from(urls as unknown[], (url, index) =>
    parseNode(url === undefined ? url : check(nameAt(index), url, "string"), nameAt(index), defaults),
  );
  if (first === undefined) throw new TypeError(`${name} must name at least one server; got an empty array`);
  return [first, ...others];
}

/** Such a transport cannot lead to servers that are only announced. */
export function refuseLeading(option: string, transport: Transport | undefined): void {
  if (transport === undefined || (transport.carrier !== "commands" && transport.name === undefined)) return;
  throw new TypeError(
    `${option} needs a transport to any address; a client behind fromCommand finds its servers itself: leave ${option} out`,
  );
}
