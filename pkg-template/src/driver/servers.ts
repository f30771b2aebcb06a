import { nameOfAnnounced } from "../options/announced.js";
import type { Settings } from "../options/client.js";
import type { Deployment, Voter } from "../options/deployment.js";
import type { Node } from "../options/nodes.js";
import { nameOf } from "../options/url.js";
import type { Address } from "../types/transport.js";
import type { CoreHost } from "./core-host.js";
import type { NodeInfo, NodeList } from "./to-error.js";

/** A server: how it is reached, and what is known about it for errors. */
export interface KnownNode extends NodeInfo {
  readonly transport: Node["transport"];
  /** Where to connect to. Throws an Error if that is refused. Calls functions of the application. */
  readonly locate: () => Address;
  /** Whether connections to it get what the application's `credentials` function returns: a sentinel's do not. */
  readonly logsIn: boolean;
  lastError: NodeInfo["lastError"];
  asking: boolean;
}

/** The servers of a client, by the core's indices: those in its options, then those that the core has learnt of. */
export class Servers implements NodeList {
  readonly #settings: Settings;
  readonly #announced: CoreHost["announced"];
  /** Some that the core has learnt of may be missing. */
  readonly #nodes: (KnownNode | undefined)[];

  constructor(settings: Settings, announced: CoreHost["announced"]) {
    this.#settings = settings;
    this.#announced = announced;
    this.#nodes = settings.voters.flatMap(({ nodes, deployment }) =>
      nodes.map((node) =>
        known(node, node.name, () => node.address, deployment?.kind, deployment?.kind !== "sentinel"),
      ),
    );
  }

  get names(): string {
    return this.#settings.nodes.map(({ name }) => name).join(", ");
  }

  at(index: number): KnownNode | undefined {
    return this.#nodes[index] ?? this.#learn(index);
  }

  /** Those in the options, and the others below `count`. */
  first(count: number): { readonly name: string }[] {
    const length = Math.max(count, this.#settings.nodes.length);
    return Array.from({ length }, (_, index) => this.at(index) ?? { name: "" });
  }

  /** The core is gone, and with it all that it has learnt. */
  forget(): void {
    this.#nodes.length = this.#settings.nodes.length;
  }

  #learn(index: number): KnownNode | undefined {
    const { nodes, voters } = this.#settings;
    if (index < nodes.length || !voters.some(({ deployment }) => deployment)) return undefined;
    const announced = this.#announced(index);
    const deployment = announced && voters[announced.voter]?.deployment;
    if (announced === undefined || deployment === undefined) return undefined;
    const { pattern, locate, kind } = deployment;
    const located = () => {
      const address = locate(announced.address);
      this.#refuseOthers(nameOf(address).toLowerCase(), announced.voter);
      return address;
    };
    const node = known(pattern, nameOfAnnounced(announced.address), located, kind, true);
    this.#nodes[index] = node;
    return node;
  }

  /** A server would vote twice, or get the credentials of another vote. */
  #refuseOthers(name: string, voter: number): void {
    const isIn = ({ nodes }: Voter) => nodes.some((node) => node.name.toLowerCase() === name);
    if (this.#settings.voters.some((other, at) => at !== voter && isIn(other)))
      throw new Error(`refusing to connect to ${name}, which belongs to another one of \`nodes\``);
  }
}

/** A server like `pattern`, about which nothing is known yet. */
function known(
  { transport, address: { tls } }: Node,
  name: string,
  locate: () => Address,
  kind: Deployment["kind"] | undefined,
  logsIn: boolean,
): KnownNode {
  const cluster = kind === "cluster";
  return { name, transport, tls, cluster, locate, logsIn, lastError: undefined, asking: false };
}
