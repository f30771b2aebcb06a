import { isLocal } from "../options/url.js";
import { check, optionsOf } from "../options/validate.js";
import type { Address, TlsOptions, Transport } from "../types/types.js";
import { make, open, type WebSocketLike } from "./websocket-connection.js";

export type { WebSocketLike };

/** Options of {@link fromWebSocket}. */
export interface WebSocketOptions {
  /** The constructor to use, such as that of the package `ws`; by default the runtime's own. */
  WebSocket?: WebSocketConstructor;
  /** Subprotocols to offer to the bridge; none by default. */
  protocols?: string | string[];
}

/** As much of a WebSocket constructor as is needed. */
export type WebSocketConstructor = new (url: string, protocols?: string[]) => WebSocketLike;

const OPTIONS = new Set<string>(["WebSocket", "protocols"] satisfies (keyof WebSocketOptions)[]);

/**
 * Redis through a bridge that passes binary WebSocket frames on to a TCP server and back, for runtimes without sockets,
 * such as browsers. All of Redis is then open to whoever can use the bridge: let it check who that is, and let its
 * servers' ACL allow no more than locks need. For development, there is one in `examples/websocket-bridge.mjs`.
 *
 * `bridge` is the `ws://` or `wss://` URL of the bridge, or a function that makes one from a server's address, which is
 * called by createClient and for each connection. A query may hold a token: errors show nothing but the host.
 *
 * TLS with the server is the bridge's own matter, so that `tls` is refused, and `rediss:` as well, unless `bridge` is a
 * function, which is told by `address.tls` that TLS is wanted. A password, a query and subprotocols need a `wss://` bridge,
 * or one on this machine, unless `allowPlaintextAuth` is set.
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
      "fromWebSocket: this runtime has no WebSocket; pass one, such as { WebSocket } of the package ws",
    );
  }
  const protocols = given.protocols === undefined ? undefined : [given.protocols].flat();
  for (const protocol of protocols ?? []) check("fromWebSocket: protocols", protocol, "string");
  // Where a browser lets nothing else through, tokens travel as subprotocols.
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

/** `host` is what errors may show. */
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
  if (path !== null) return "a WebSocket leads to no unix socket";
  const matter = "over a WebSocket, TLS with the server is the bridge's matter";
  if (Object.values(options).some((value) => value !== undefined))
    return `${matter}; leave the options tls out`;
  return tls ? `${matter}; write redis://, or give fromWebSocket a function` : undefined;
}
