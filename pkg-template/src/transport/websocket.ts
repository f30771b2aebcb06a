import { isLocal } from "../options/url.js";
import { check, optionsOf } from "../options/validate.js";
import type { Address, TlsOptions, Transport } from "../types/transport.js";
import { make, open, type WebSocketLike } from "./websocket-connection.js";

export type { WebSocketLike };

/** Options of {@link fromWebSocket}. */
export interface WebSocketOptions {
  /** The constructor to use, such as the one of the package `ws`; the runtime's own by default. */
  WebSocket?: WebSocketConstructor | undefined;
  /** Subprotocols to offer to the bridge; none by default. */
  protocols?: string | string[] | undefined;
}

/** The part of a WebSocket constructor that is used. */
export type WebSocketConstructor = new (url: string, protocols?: string[]) => WebSocketLike;

const OPTIONS = new Set<string>(["WebSocket", "protocols"] satisfies (keyof WebSocketOptions)[]);

/**
 * Redis through a bridge that forwards binary WebSocket frames to a TCP server and back, for runtimes without sockets, such
 * as browsers. Anyone who can use the bridge can use Redis: the bridge must authenticate its users, and the server's ACL
 * should allow no more than locks need. `examples/websocket-bridge.mjs` is a bridge for development.
 *
 * `bridge` is the `ws://` or `wss://` URL of the bridge, or a function that returns one for a server's address; createClient
 * calls it, and so does each connection. The URL's query may contain a token: errors show only the host.
 *
 * TLS to the server is up to the bridge, so `tls` is refused. A `rediss://` URL is refused too, unless `bridge` is a function,
 * which then sees `address.tls`. A password, a query or subprotocols need a `wss://` bridge, or one on this machine, unless
 * `allowPlaintextAuth` is set.
 *
 * Throws TypeError for bad arguments, and where the runtime has no WebSocket.
 *
 * @example
 * createClient({ transport: fromWebSocket("wss://bridge.example/redis") })
 * createClient({
 *   nodes: ["redis://a:6379", "redis://b:6379", "redis://c:6379"],
 *   transport: fromWebSocket(({ host, port }) => `wss://bridge.example/${host}:${port}`),
 * })
 */
export function fromWebSocket(
  bridge: string | ((address: Address) => string),
  options: WebSocketOptions = {},
): Transport {
  const given = optionsOf<WebSocketOptions>("fromWebSocket", options, OPTIONS);
  const Socket = given.WebSocket ?? (globalThis as { WebSocket?: WebSocketConstructor }).WebSocket;
  if (typeof Socket !== "function") {
    throw new TypeError(
      "fromWebSocket: this runtime has no WebSocket; pass one, such as { WebSocket } from the package ws",
    );
  }
  const protocols = given.protocols === undefined ? undefined : [given.protocols].flat();
  for (const protocol of protocols ?? []) check("fromWebSocket: protocols", protocol, "string");
  // Browsers allow no other header, so tokens travel as subprotocols.
  const offers = protocols !== undefined && protocols.length > 0;
  const fixed =
    typeof bridge === "function" ? undefined : parseBridge(check("fromWebSocket: bridge", bridge, "string"));
  const locate = (address: Address) => fixed ?? parseBridge((bridge as BridgeFor)(address));
  const hasSecret = ({ url }: Bridge) => offers || url.includes("?");
  return {
    ...(fixed === undefined
      ? {
          secure: (address) => locate(address).secure,
          credentials: (address) => hasSecret(locate(address)),
        }
      : { name: fixed.host, secure: fixed.secure, credentials: hasSecret(fixed) }),
    refuses: ({ path, tls, tlsOptions }) => refusal(path, tls && fixed !== undefined, tlsOptions),
    async connect(address, handler, signal) {
      signal.throwIfAborted();
      const { url, host } = locate(address);
      return open(
        make(() => new Socket(url, protocols), host),
        host,
        handler,
        signal,
      );
    },
  };
}

type BridgeFor = (address: Address) => string;

/** Errors may show only `host`. */
interface Bridge {
  readonly url: string;
  readonly host: string;
  readonly secure: boolean;
}

function parseBridge(url: unknown): Bridge {
  const [match, scheme = "", host = ""] =
    (typeof url === "string" && /^(wss?):\/\/([^/?#@\s]+)([/?][^#\s]*)?$/i.exec(url)) || [];
  if (match === undefined) {
    throw new TypeError(
      "fromWebSocket: the bridge's URL must be ws://host[:port][/path][?query] or wss://...",
    );
  }
  const bare = host.replace(/:\d+$/, "").replace(/^\[|\]$/g, "");
  return { url: match, host, secure: scheme.toLowerCase() === "wss" || isLocal({ host: bare, path: null }) };
}

function refusal(path: string | null, tls: boolean, options: TlsOptions): string | undefined {
  if (path !== null) return "a WebSocket cannot reach a unix socket";
  const reason = "over a WebSocket, TLS to the server is up to the bridge";
  if (Object.values(options).some((value) => value !== undefined)) return `${reason}; remove the tls options`;
  return tls ? `${reason}; use redis://, or pass a function to fromWebSocket` : undefined;
}
