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
    this.#nodes = settings.nodes.map((node) => this.#known(node, node.name, () => node.address));
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
    const { nodes, cluster } = this.#settings;
    const [pattern] = nodes;
    if (cluster === undefined || pattern === undefined || index < nodes.length) return undefined;
    const announced = this.#announced(index);
    if (announced === "") return undefined;
    const node = this.#known(pattern, nameOfAnnounced(announced), () => cluster.locate(announced));
    this.#nodes[index] = node;
    return node;
  }

  /** A server like `pattern`, about which nothing is known yet. */
  #known({ transport, address: { tls } }: Node, name: string, locate: () => Address): KnownNode {
    const cluster = this.#settings.cluster !== undefined;
    return { name, transport, tls, cluster, locate, lastError: undefined, asking: false };
  }
}
