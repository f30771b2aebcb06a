import * as dns from "node:dns";
import * as net from "node:net";
import type { Address } from "../types/transport.js";
import { explainTls } from "./tls.js";

// Taken when the package is loaded: a test's fake timers must not stop a connect.
const { setTimeout, clearTimeout } = globalThis;

/** How long an address is tried alone before the next one is tried in parallel, ms (RFC 8305). */
const HEAD_START = 250;

/**
 * Opens a socket, with `open`, to the first address of a host that accepts. The next address is tried when one fails or
 * takes longer than the head start, which does not end the slow attempt: only the signal limits the time. Node.js's own
 * way gives each address 250 ms, and Deno's waits for the first one as long as the kernel does.
 *
 * `use` is called as soon as a socket has emitted `event`, before it emits anything else.
 */
export async function dial<T>(
  address: Address,
  open: (host: string) => net.Socket,
  event: string,
  use: (socket: net.Socket) => T,
  signal: AbortSignal,
): Promise<T> {
  const hosts = await orAborted(hostsOf(address), signal);
  return new Promise((resolve, reject) => {
    const sockets = new Set<net.Socket>();
    const failures: unknown[] = [];
    let next = 0;
    let timer: ReturnType<typeof setTimeout> | undefined;
    let settled = false;

    const settle = (winner?: net.Socket) => {
      settled = true;
      clearTimeout(timer);
      signal.removeEventListener("abort", abort);
      for (const socket of sockets) if (socket !== winner) socket.destroy();
    };
    const abort = () => {
      settle();
      reject(signal.reason);
    };
    signal.addEventListener("abort", abort, { once: true });

    const advance = () => {
      clearTimeout(timer);
      const host = hosts[next];
      next += 1;
      if (host !== undefined) {
        // Before the attempt, because one that throws advances by itself.
        if (next < hosts.length) timer = setTimeout(advance, HEAD_START);
        attempt(host);
      } else if (sockets.size === 0) {
        settle();
        reject(failures.length === 1 ? failures[0] : new AggregateError(failures));
      }
    };
    const attempt = (host: string) => {
      let socket: net.Socket;
      try {
        socket = open(host);
      } catch (error) {
        failures.push(error);
        advance();
        return;
      }
      sockets.add(socket);
      let failure: Error | undefined;
      socket.once(event, () => {
        if (settled) return;
        settle(socket);
        resolve(use(socket));
      });
      socket.on("error", (error) => {
        failure = error;
      });
      // "close" follows every "error".
      socket.once("close", () => {
        if (settled) return;
        sockets.delete(socket);
        failures.push(
          explainTls(failure ?? new Error("the connection was closed before it was established")),
        );
        advance();
      });
    };
    advance();
  });
}

/** The look-up's result, unless the signal aborts before: a look-up cannot be stopped, and may take half a minute. */
function orAborted<T>(looking: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason);
    signal.addEventListener("abort", abort, { once: true });
    looking.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
  });
}

/** The IP addresses of a host, its families in turn; one string for what needs no look-up. */
async function hostsOf({ host, path }: Address): Promise<string[]> {
  if (path !== null || net.isIP(host) !== 0) return [host];
  const found = await new Promise<dns.LookupAddress[]>((resolve, reject) => {
    dns.lookup(host, { all: true }, (error, addresses) => (error ? reject(error) : resolve(addresses)));
  });
  const first = found.filter(({ family }) => family === found[0]?.family);
  const second = found.filter(({ family }) => family !== found[0]?.family);
  return found.flatMap((_, at) => [first[at], second[at]].flatMap((each) => each?.address ?? []));
}
