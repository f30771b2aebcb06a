import type { Node } from "../options/nodes.js";
import type { Credentials } from "../types/types.js";
import { type ConnectionOwner, NodeConnection } from "./connection.js";
import { askLogin } from "./login.js";
import type { NodeInfo } from "./to-error.js";

/** A server with what is known about it for errors. */
export type KnownNode = Node & NodeInfo & { lastError: NodeInfo["lastError"]; asking: boolean };

/** The connections of a client, by the core's numbers. */
export class Connections {
  readonly #nodes: readonly KnownNode[];
  readonly #owner: ConnectionOwner;
  readonly #credentials: (() => Credentials | Promise<Credentials>) | undefined;
  readonly #open = new Map<number, NodeConnection>();
  #keepsAlive = true;

  constructor(
    nodes: readonly KnownNode[],
    owner: ConnectionOwner,
    credentials?: () => Credentials | Promise<Credentials>,
  ) {
    this.#nodes = nodes;
    this.#owner = owner;
    this.#credentials = credentials;
  }

  connect(id: number, index: number): void {
    const node = this.#nodes[index];
    if (node === undefined) return;
    const connection = new NodeConnection(id, index, this.#owner);
    this.#open.set(id, connection);
    connection.keepAlive(this.#keepsAlive);
    const credentials = this.#credentials;
    const ask = () => {
      node.asking = true;
      return askLogin(credentials as NonNullable<typeof credentials>).finally(() => {
        node.asking = false;
      });
    };
    connection.dial(node.transport, node.address, credentials && ask);
  }

  write(id: number, bytes: Uint8Array): void {
    this.#open.get(id)?.write(bytes);
  }

  /** Sets whether the process stays alive for the connections. */
  keepAlive(wanted: boolean): void {
    if (this.#keepsAlive === wanted) return;
    this.#keepsAlive = wanted;
    for (const connection of this.#open.values()) connection.keepAlive(wanted);
  }

  drop(id: number): void {
    this.#open.get(id)?.drop();
    this.#open.delete(id);
  }

  dropAll(): void {
    const connections = [...this.#open.values()];
    this.#open.clear();
    for (const connection of connections) connection.drop();
  }

  /** Leaves all connections to the runtime; returns their numbers. */
  abandonAll(): number[] {
    const connections = [...this.#open.values()];
    this.#open.clear();
    for (const connection of connections) connection.abandon();
    return connections.map(({ id }) => id);
  }

  /** Notes the end of a connection; returns the reason with the name of the server, which sockets' messages often have. */
  ended({ id, node: index }: NodeConnection, reason: string, error: unknown): string {
    this.#open.delete(id);
    const node = this.#nodes[index];
    if (node === undefined) return reason;
    node.lastError = { connection: id, error };
    return reason.includes(node.name) ? reason : `${node.name}: ${reason}`;
  }
}
