import { OBSTACLE } from "../core/wire.js";
import { obstacleOf } from "../errors/obstacle.js";
import type { Credentials } from "../types/types.js";
import { type ConnectionOwner, NodeConnection } from "./connection.js";
import type { CoreHost } from "./core-host.js";
import type { Drain } from "./drain.js";
import { askLogin } from "./login.js";
import type { Servers } from "./servers.js";

/** The connections of a client, by the core's numbers. Feeds what they bring into the core. */
export class Connections implements ConnectionOwner {
  readonly #servers: Servers;
  readonly #host: CoreHost;
  readonly #drain: Drain;
  readonly #credentials: (() => Credentials | Promise<Credentials>) | undefined;
  readonly #open = new Map<number, NodeConnection>();
  #keepsAlive = true;

  constructor(
    servers: Servers,
    host: CoreHost,
    drain: Drain,
    credentials?: () => Credentials | Promise<Credentials>,
  ) {
    this.#servers = servers;
    this.#host = host;
    this.#drain = drain;
    this.#credentials = credentials;
  }

  connect(id: number, index: number): void {
    const node = this.#servers.at(index);
    if (node === undefined) return;
    const connection = new NodeConnection(id, index, this);
    this.#open.set(id, connection);
    connection.keepAlive(this.#keepsAlive);
    const credentials = node.logsIn ? this.#credentials : undefined;
    const ask = () => {
      node.asking = true;
      return askLogin(credentials as NonNullable<typeof credentials>).finally(() => {
        node.asking = false;
      });
    };
    connection.dial(node.transport, node.locate, credentials && ask);
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

  handleConnected({ id, login }: NodeConnection): void {
    this.#host.feed((core, mono, wall) => {
      if (login !== undefined) core.log_in(id, login.user, login.password);
      core.connected(id, mono, wall);
    });
    this.#drain.now();
  }

  handleBytes({ id }: NodeConnection, bytes: Uint8Array): void {
    this.#host.received(id, bytes);
    this.#drain.now();
  }

  handleClosed(connection: NodeConnection, reason: string, error: unknown): void {
    const located = this.#ended(connection, reason, error);
    const obstacle = obstacleOf(error);
    this.#host.feed((core, mono, wall) => {
      if (obstacle === undefined) core.closed(connection.id, located, mono, wall);
      else core.obstructed(connection.id, OBSTACLE[obstacle], located, mono, wall);
    });
    this.#drain.now();
  }

  /** Notes the end of a connection; returns the reason with the name of the server, unless it contains the name already. */
  #ended({ id, node: index }: NodeConnection, reason: string, error: unknown): string {
    this.#open.delete(id);
    const node = this.#servers.at(index);
    if (node === undefined) return reason;
    node.lastError = { connection: id, error };
    return reason.includes(node.name) ? reason : `${node.name}: ${reason}`;
  }
}
