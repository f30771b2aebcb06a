import { nameOfAnnounced } from "../options/announced.js";
import type { Settings } from "../options/client.js";
import type { Node } from "../options/nodes.js";
import type { Address } from "../types/transport.js";
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
  /** The announced address of a server that the core has learnt of, or an empty string. */
  readonly #announced: (index: number) => string;
  /** Some that the core has learnt of may be missing. */
  readonly #nodes: (KnownNode | undefined)[];

  constructor(settings: Settings, announced: (index: number) => string) {
    this.#settings = settings;
    this.#announced = announced;
    const logsIn = settings.deployment?.kind !== "sentinel";
    this.#nodes = settings.nodes.map((node) => this.#known(node, node.name, () => node.address, logsIn));
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
    const { nodes, deployment } = this.#settings;
    if (deployment === undefined || index < nodes.length) return undefined;
    const announced = this.#announced(index);
    if (announced === "") return undefined;
    const { pattern, locate } = deployment;
    const node = this.#known(pattern, nameOfAnnounced(announced), () => locate(announced), true);
    this.#nodes[index] = node;
    return node;
  }

  /** A server like `pattern`, about which nothing is known yet. */
  #known(
    { transport, address: { tls } }: Node,
    name: string,
    locate: () => Address,
    logsIn: boolean,
  ): KnownNode {
    const cluster = this.#settings.deployment?.kind === "cluster";
    return { name, transport, tls, cluster, locate, logsIn, lastError: undefined, asking: false };
  }
}
