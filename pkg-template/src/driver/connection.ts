import { reasonOf } from "../errors/text.js";
import type { Address, Connection, Transport } from "../types/types.js";

/** Whom a link tells. Neither is called any more once the link is dropped or down. */
export interface LinkOwner {
  linkUp(link: Link): void;
  linkData(link: Link, chunk: Uint8Array): void;
  linkDown(link: Link, reason: string, error: unknown): void;
}

const SILENT = " before the server said a word; does it want TLS there, as with rediss://?";

/**
 * One connection, from the dial to its end. Transports are not ours: they may throw, answer twice, or speak after
 * their end; here all of that becomes at most one linkUp and one linkDown.
 *
 *   dialling --connect resolves--> up --close()--> gone
 *      |                           |                ^
 *      +--- rejects, data, drop ---+--- write throws, drop ---+
 */
export class Link {
  readonly id: number;
  readonly node: number;
  readonly #owner: LinkOwner;
  readonly #dial = new AbortController();
  #connection: Connection | undefined;
  #gone = false;
  /** Whether silence can mean that the server waits for TLS. */
  #plain = false;
  #heard = false;

  constructor(id: number, node: number, owner: LinkOwner) {
    this.id = id;
    this.node = node;
    this.#owner = owner;
  }

  dial(transport: Transport, address: Address): void {
    this.#plain = !address.tls && address.path === null && transport.carrier !== "commands";
    const handler = {
      data: (chunk: Uint8Array) => this.#data(chunk),
      close: (error?: unknown) => this.#down(error),
    };
    // The executor turns a connect that throws into a rejection.
    new Promise<Connection>((resolve) =>
      resolve(transport.connect(address, handler, this.#dial.signal)),
    ).then(
      (connection) => this.#up(connection),
      (error: unknown) => this.#down(error),
    );
  }

  write(bytes: Uint8Array): void {
    try {
      caught(this.#connection?.write(bytes), (error) => this.#down(error));
    } catch (error) {
      this.#down(error);
    }
  }

  /** Ends the link without a word to the owner, who wants it so. */
  drop(): void {
    if (this.#gone) return;
    this.#gone = true;
    const connection = this.#connection;
    if (connection === undefined) this.#dial.abort();
    else hangUp(connection);
  }

  #up(connection: Connection): void {
    if (typeof connection?.write !== "function" || typeof connection.close !== "function") {
      this.#down(new TypeError("the transport's connect must resolve to { write(bytes), close() }"));
      return;
    }
    if (this.#gone) {
      hangUp(connection);
      return;
    }
    this.#connection = connection;
    this.#owner.linkUp(this);
  }

  #data(chunk: Uint8Array): void {
    if (this.#gone) return;
    this.#heard = true;
    // In the core, anything else would be read as garbage, or trap.
    if (!isBytes(chunk)) this.#down(new TypeError("the transport's data must be a Uint8Array"));
    else if (this.#connection !== undefined) this.#owner.linkData(this, chunk);
    else this.#down(new Error("the server spoke before the connection was up"));
  }

  #down(error: unknown): void {
    if (this.#gone) return;
    const silent = this.#plain && this.#connection !== undefined && !this.#heard;
    this.drop();
    this.#owner.linkDown(this, reasonOf(error) + (silent ? SILENT : ""), error);
  }
}

function hangUp(connection: Connection): void {
  try {
    caught(connection.close(), () => {});
  } catch {
    // It is not wanted any more: there is nobody whom this would concern.
  }
}

/** Of any realm, and Node.js's Buffer too. */
function isBytes(chunk: unknown): boolean {
  return ArrayBuffer.isView(chunk) && (chunk as { BYTES_PER_ELEMENT?: number }).BYTES_PER_ELEMENT === 1;
}

/** Transports may be async though nothing here waits for them: their rejections must not go unhandled. */
function caught(outcome: unknown, fail: (error: unknown) => void): void {
  if (outcome instanceof Promise) outcome.catch(fail);
}
