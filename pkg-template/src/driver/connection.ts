import { reasonOf } from "../errors/text.js";
import type { Address, Connection, Transport } from "../types/transport.js";
import { type Login, LoginFailure } from "./login.js";

/** Hears what happens on a connection, until it is dropped or has ended. */
export interface ConnectionOwner {
  handleConnected(connection: NodeConnection): void;
  handleBytes(connection: NodeConnection, bytes: Uint8Array): void;
  handleClosed(connection: NodeConnection, reason: string, error: unknown): void;
}

const SILENT = " before the server sent anything; is this a TLS port (use rediss://)?";

/**
 * One connection to a server, from dialling to its end. Transports are foreign code: they may throw, answer twice, or call
 * back after their end. The owner hears of at most one handleConnected and one handleClosed.
 *
 *   dialling --connect resolves--> open --close()--> closed
 *      |                           |                  ^
 *      +--- rejects, data, drop ---+--- write throws, drop ---+
 */
export class NodeConnection {
  readonly id: number;
  /** The index of the server. */
  readonly node: number;
  /** What the application gave instead of the credentials in the URL, once the connection is open. */
  login: Login | undefined;
  readonly #owner: ConnectionOwner;
  readonly #dial = new AbortController();
  #connection: Connection | undefined;
  #closed = false;
  /** Whether silence can mean that the server waits for a TLS handshake. */
  #plaintext = false;
  #received = false;
  #keepsAlive = true;

  constructor(id: number, node: number, owner: ConnectionOwner) {
    this.id = id;
    this.node = node;
    this.#owner = owner;
  }

  /**
   * `locate` returns where to connect to, or throws an Error. `ask`, if given, asks the application for credentials, and comes
   * after it.
   */
  dial(transport: Transport, locate: () => Address, ask?: () => Promise<Login>): void {
    const handler = {
      data: (chunk: Uint8Array) => this.#data(chunk),
      close: (error?: unknown) => this.#close(error),
    };
    const { signal } = this.#dial;
    // The executor turns what throws in it into a rejection.
    new Promise<Connection>((resolve) => {
      const address = locate();
      this.#plaintext = !address.tls && address.path === null && transport.carrier !== "commands";
      const connect = () => transport.connect(address, handler, signal);
      resolve(ask === undefined ? connect() : this.#logIn(ask).then(connect));
    }).then(
      (connection) => this.#open(connection),
      (error: unknown) => this.#close(error),
    );
  }

  write(bytes: Uint8Array): void {
    try {
      catchRejection(this.#connection?.write(bytes), (error) => this.#close(error));
    } catch (error) {
      this.#close(error);
    }
  }

  /** Sets whether the process stays alive for this connection, where its transport can tell the runtime. */
  keepAlive(wanted: boolean): void {
    this.#keepsAlive = wanted;
    const connection = this.#connection;
    if (connection === undefined || this.#closed) return;
    try {
      if (wanted) connection.ref?.();
      else connection.unref?.();
    } catch {
      // A process that ends too early or too late is no reason to end the connection.
    }
  }

  /** Ends the connection without a call to the owner. */
  drop(): void {
    if (this.#closed) return;
    this.#closed = true;
    const connection = this.#connection;
    if (connection === undefined) this.#dial.abort();
    else hangUp(connection);
  }

  /** The connection belongs to another request, and must not be touched from this one: the runtime closes it with that one. */
  abandon(): void {
    this.#closed = true;
  }

  async #logIn(ask: () => Promise<Login>): Promise<void> {
    try {
      this.login = await ask();
    } catch (error) {
      this.#close(error);
    }
    // The answer may also have come after the connection was dropped.
    this.#dial.signal.throwIfAborted();
  }

  #open(connection: Connection): void {
    if (typeof connection?.write !== "function" || typeof connection.close !== "function") {
      this.#close(new TypeError("the transport's connect must resolve to { write(bytes), close() }"));
      return;
    }
    if (this.#closed) {
      hangUp(connection);
      return;
    }
    this.#connection = connection;
    this.keepAlive(this.#keepsAlive);
    this.#owner.handleConnected(this);
  }

  #data(chunk: Uint8Array): void {
    if (this.#closed) return;
    this.#received = true;
    // The core would read anything else as garbage, or trap.
    if (!isBytes(chunk)) this.#close(new TypeError("the transport must deliver data as a Uint8Array"));
    else if (this.#connection !== undefined) this.#owner.handleBytes(this, chunk);
    else this.#close(new Error("the transport delivered data before connect had resolved"));
  }

  #close(error: unknown): void {
    if (this.#closed) return;
    const reason = error instanceof LoginFailure ? error.reason : reasonOf(error);
    const silent = this.#plaintext && this.#connection !== undefined && !this.#received;
    this.drop();
    this.#owner.handleClosed(this, reason + (silent ? SILENT : ""), error);
  }
}

function hangUp(connection: Connection): void {
  try {
    catchRejection(connection.close(), () => {});
  } catch {
    // The connection is no longer used, so its error concerns nobody.
  }
}

/** Bytes of any realm, and Node.js's Buffer too. */
function isBytes(chunk: unknown): boolean {
  return ArrayBuffer.isView(chunk) && (chunk as { BYTES_PER_ELEMENT?: number }).BYTES_PER_ELEMENT === 1;
}

/** A transport's methods may be async although nothing awaits them: their rejections must not go unhandled. */
function catchRejection(outcome: unknown, fail: (error: unknown) => void): void {
  if (outcome instanceof Promise) outcome.catch(fail);
}
