/** The connections of a memory server: they carry bytes between clients and the server, which runs in WebAssembly. */
import { systemClock } from "../options/clock.js";
import { check, optionsOf, show } from "../options/validate.js";
import type { MemoryServer, MemoryServerOptions } from "../types/memory.js";
import type { Connection, Transport } from "../types/transport.js";
import type { Instance, MemoryServer as Server } from "./redlatch_memory.js";

type Handler = Parameters<Transport["connect"]>[1];

const OPTIONS = new Set<string>(["now"] satisfies (keyof MemoryServerOptions)[]);

/** Makes a server, in its own wasm instance. */
export function openMemoryServer(load: () => Instance, options?: MemoryServerOptions): MemoryServer {
  const given = optionsOf<MemoryServerOptions>("createMemoryServer", options, OPTIONS);
  const clock = check("createMemoryServer: now", given.now, "function", systemClock.wall);
  const now = () => {
    const time: unknown = clock();
    if (typeof time === "number" && time >= 0 && Number.isFinite(time)) return time;
    throw new TypeError(`createMemoryServer: now must return ms since 1970; got ${show(time)}`);
  };
  const server = new (load().MemoryServer)();
  const connections = new Connections(server, now);
  return {
    transport: {
      name: "memory",
      secure: true,
      connect: async (_address, handler, signal) => {
        signal.throwIfAborted();
        const connection = connections.open(handler);
        signal.addEventListener("abort", connection.close, { once: true });
        return connection;
      },
    },
    keys: () => server.keys(now()),
    flush: () => server.flush(),
  };
}

/** Carries bytes from clients to the server and back, in order and never from within a call. */
class Connections {
  readonly #server: Server;
  readonly #now: () => number;
  readonly #handlers = new Map<number, Handler>();
  #queue: { session: number; bytes: Uint8Array }[] = [];
  #sessions = 0;

  constructor(server: Server, now: () => number) {
    this.#server = server;
    this.#now = now;
  }

  open(handler: Handler): Connection {
    this.#sessions += 1;
    const session = this.#sessions;
    this.#handlers.set(session, handler);
    this.#server.connect(session);
    return {
      write: (bytes) => {
        // A promise, because fake timers leave promises alone.
        if (this.#queue.push({ session, bytes }) === 1) Promise.resolve().then(() => this.#serve());
      },
      close: () => this.#end(session),
    };
  }

  #serve(): void {
    const queue = this.#queue;
    this.#queue = [];
    for (const { session, bytes } of queue) {
      if (!this.#handlers.has(session)) continue;
      try {
        this.#server.receive(session, bytes, this.#now());
        this.#deliver();
        if (this.#server.is_closed(session))
          this.#hangUp(session, new Error("the memory server closed the connection"));
      } catch (error) {
        this.#hangUp(session, error);
      }
    }
  }

  /** Delivers to all clients: a command of one may wake another. */
  #deliver(): void {
    for (const session of this.#server.written()) {
      this.#handlers.get(session)?.data(this.#server.take_output(session));
    }
  }

  #hangUp(session: number, error: unknown): void {
    const handler = this.#handlers.get(session);
    this.#end(session);
    handler?.close(error);
  }

  #end(session: number): void {
    if (this.#handlers.delete(session)) this.#server.disconnect(session);
  }
}
