import type { Connection, Transport } from "../types/transport.js";

/** The part of a WebSocket that is used. */
export interface WebSocketLike {
  /** The client sets it to `"arraybuffer"`. */
  binaryType: string;
  /** Sends one binary frame. It always gets a Uint8Array, whose declaration differs before and after TypeScript 5.7. */
  send(bytes: never): void;
  /** Starts the closing handshake. */
  close(): void;
  /** Listens to `open`, `message`, `error` and `close`. */
  addEventListener(type: string, listener: (event: never) => void): void;
}

/** Constructors throw errors that repeat the URL, so only their name is kept. */
export function make(socket: () => WebSocketLike, host: string): WebSocketLike {
  try {
    return socket();
  } catch (error) {
    throw new Error(`cannot open a WebSocket to the bridge at ${host}: ${(error as Error | null)?.name}`);
  }
}

type Handler = Parameters<Transport["connect"]>[1];

/** `host` is the bridge's name in errors. */
export function open(
  socket: WebSocketLike,
  host: string,
  handler: Handler,
  signal: AbortSignal,
): Promise<Connection> {
  return new Promise((resolve, reject) => {
    let up = false;
    const end = (what: string) => {
      const error = new Error(`the WebSocket bridge at ${host} ${what}`);
      // Before the connection is up, only the first of these two has an effect; afterwards, only the second.
      reject(error);
      handler.close(error);
    };
    // The closing handshake of the package ws would keep the process alive.
    const { terminate } = socket as { terminate?(): void };
    const hangUp = () => (typeof terminate === "function" ? terminate.call(socket) : socket.close());
    socket.binaryType = "arraybuffer";
    signal.addEventListener("abort", () => (up ? undefined : hangUp()), { once: true });
    socket.addEventListener("open", () => {
      up = true;
      resolve({ write: (bytes) => socket.send(bytes as never), close: hangUp });
    });
    socket.addEventListener("message", ({ data }: { data: unknown }) => {
      // By name, because it may be from another realm.
      if (Object.prototype.toString.call(data) === "[object ArrayBuffer]")
        handler.data(new Uint8Array(data as ArrayBuffer));
      else end("sent a text frame; it must forward bytes in binary frames");
    });
    socket.addEventListener("error", ({ message }: { message?: unknown }) => {
      // Some runtimes repeat the URL, which may hold a token.
      const why =
        typeof message === "string" && message !== "" && !message.includes("//") ? `: ${message}` : "";
      end(
        up
          ? `failed${why}`
          : `could not be reached${why}; is it running there, and does it accept this client?`,
      );
    });
    socket.addEventListener("close", ({ code, reason }: { code: number; reason: string }) => {
      end(`closed the connection (code ${code}${reason === "" ? "" : `: ${reason}`})`);
    });
  });
}
