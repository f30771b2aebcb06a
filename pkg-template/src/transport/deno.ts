import type { Address, Connection, Transport } from "../types/types.js";
import { nodeTransport } from "./node.js";

const BUFFER = 65_536;

/**
 * Deno's own sockets: tcp and unix. TLS uses Deno's node:tls: of Deno's own functions, connectTls trusts the default
 * authorities beside `ca` instead of replacing them, and startTls, which takes a server name, sends no client certificate.
 */
export const denoTransport: Transport = {
  async connect(address, handler, signal) {
    if (address.tls) return nodeTransport.connect(address, handler, signal);
    const socket = await dial(address, signal);
    if (signal.aborted) {
      socket.close();
      throw signal.reason;
    }
    return new Stream(socket, handler);
  },
};

async function dial({ host, port, path }: Address, signal: AbortSignal): Promise<Deno.Conn> {
  if (path !== null) return Deno.connect({ transport: "unix", path });
  const socket = await Deno.connect({ hostname: host, port, signal });
  socket.setNoDelay(true);
  socket.setKeepAlive(true);
  return socket;
}

class Stream implements Connection {
  readonly #socket: Deno.Conn;
  readonly #handler: Parameters<Transport["connect"]>[1];
  #queue: Uint8Array[] = [];
  #writing = false;
  #open = true;

  constructor(socket: Deno.Conn, handler: Parameters<Transport["connect"]>[1]) {
    this.#socket = socket;
    this.#handler = handler;
    void this.#read();
  }

  write(bytes: Uint8Array): void {
    this.#queue.push(bytes);
    if (!this.#writing) void this.#flush();
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#queue = [];
    this.#socket.close();
  }

  ref(): void {
    this.#socket.ref();
  }

  unref(): void {
    this.#socket.unref();
  }

  async #read(): Promise<void> {
    const buffer = new Uint8Array(BUFFER);
    try {
      for (;;) {
        const length = await this.#socket.read(buffer);
        if (length === null || !this.#open) break;
        // The receiver has read the bytes when it returns, so the buffer can be reused.
        this.#handler.data(buffer.subarray(0, length));
      }
      this.#end(undefined);
    } catch (error) {
      this.#end(error);
    }
  }

  /** Writes one chunk at a time, in order, and each completely. */
  async #flush(): Promise<void> {
    this.#writing = true;
    try {
      for (let bytes = this.#queue.shift(); bytes !== undefined; bytes = this.#queue.shift()) {
        for (let at = 0; at < bytes.length; ) at += await this.#socket.write(bytes.subarray(at));
      }
    } catch (error) {
      this.#end(error);
    } finally {
      this.#writing = false;
    }
  }

  #end(error: unknown): void {
    if (!this.#open) return;
    this.close();
    this.#handler.close(error);
  }
}
