import type { Connection, Transport } from "../types/types.js";

/** As much of a WebSocket as is needed. */
export interface WebSocketLike {
  /** Is set to `"arraybuffer"`. */
  binaryType: string;
  /** Sends one binary frame: a Uint8Array, which compilers before 5.7 declare otherwise than those after. */
  send(bytes: never): void;
  /** Begins to close. */
  close(): void;
  /** Listens to `open`, `message`, `error` and `close`. */
  addEventListener(type: string, listener: (event: never) => void): void;
}

/** What constructors throw repeats the URL. */
export function make(socket: () => WebSocketLike, host: string): WebSocketLike {
  try {
    return socket();
  } catch (error) {
    throw new Error(
      `no WebSocket to the bridge at ${host} can be made here: ${(error as Error | null)?.name}`,
    );
  }
}

type Handler = Parameters<Transport["connect"]>[1];

/** `host` is what errors call the bridge. */
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
      // The first of the two is without effect once the connection was up, the second before.
      reject(error);
      handler.close(error);
    };
    // The package ws would keep the process alive for the closing handshake.
    const { terminate } = socket as { terminate?(): void };
    const hangUp = () => (typeof terminate === "function" ? terminate.call(socket) : socket.close());
    socket.binaryType = "arraybuffer";
    signal.addEventListener("abort", () => (up ? undefined : hangUp()), { once: true });
    socket.addEventListener("open", () => {
      up = true;
      resolve({ write: (bytes) => socket.send(bytes as never), close: hangUp });
    });
    socket.addEventListener("message", ({ data }: { data: unknown }) => {
      // By name, for it may be of another realm.
      if (Object.prototype.toString.call(data) === "[object ArrayBuffer]")
        handler.data(new Uint8Array(data as ArrayBuffer));
      else end("sent a text frame; it must pass on bytes, in binary frames");
    });
    socket.addEventListener("error", ({ message }: { message?: unknown }) => {
      // Some runtimes repeat the URL, which may hold a token.
      const why =
        typeof message === "string" && message !== "" && !message.includes("//") ? `: ${message}` : "";
      end(up ? `failed${why}` : `could not be reached${why}; is it running there, and does it let us in?`);
    });
    socket.addEventListener("close", ({ code, reason }: { code: number; reason: string }) => {
      end(`closed the connection (code ${code}${reason === "" ? "" : `: ${reason}`})`);
    });
  });
}
