import type { Address } from "../types/transport.js";

/** A server's address and login. */
export interface Endpoint {
  readonly address: Address;
  /** `""` when there is none. */
  readonly user: string;
  /** `""` when there is none. */
  readonly password: string;
  readonly database: number;
}

const LOOPBACK = /^(localhost|(::ffff:)?127(\.(25[0-5]|2[0-4]\d|1?\d?\d)){3}|::1)$/i;

/** Whether the address is on this machine. */
export function isLocal({ host, path }: Pick<Address, "host" | "path">): boolean {
  return path !== null || LOOPBACK.test(host);
}

/** The default address of a client with its own transport. */
export const localEndpoint: Endpoint = {
  address: { host: "127.0.0.1", port: 6379, tls: false, tlsOptions: {}, path: null },
  user: "",
  password: "",
  database: 0,
};

const ACCEPTED =
  "redis://[user:password@]host[:port][/database] or valkey://..., rediss://... or valkeys://... for TLS, or unix:///path[?db=0]";

export const UNENCODED =
  "special characters in a user or password must be percent-encoded, as encodeURIComponent does";

// scheme :// userinfo @ host : port / path ? query. The last @ before the path ends the userinfo.
const SHAPE =
  /^([a-z][a-z0-9+]*):\/\/(?:([^/?#]*)@)?(\[[0-9a-f:.]+(?:%[^\]\s]+)?\]|[^\s:/?#@[\]]*)(?::([0-9]*))?(\/[^?#]*)?(?:\?([^#]*))?$/i;

/**
 * Parses a server's URL, which errors call `option`. They never repeat the URL, because it may hold a password.
 */
export function parseUrl(url: string, option: string, defaultPort = 6379): Endpoint {
  const refuse = (problem: string) => new TypeError(`${option}: ${problem}; expected ${ACCEPTED}`);
  const wrapping = wrappingOf(url);
  if (wrapping !== undefined) throw refuse(`the URL ${wrapping}; remove it`);
  if (url.length > 1 && url.startsWith("/")) return { ...localEndpoint, address: unixAddress(url) };
  const [match, scheme = "", userinfo, host = "", port = "", path = "", query = ""] = SHAPE.exec(url) ?? [];
  if (match === undefined) {
    throw refuse(`not a server URL (${UNENCODED})`);
  }
  const login = parseUserinfo(userinfo, refuse);
  switch (scheme.toLowerCase()) {
    case "redis":
    case "rediss":
    case "valkey":
    case "valkeys": {
      if (host === "") throw refuse("the host is missing");
      // The "/" or "?" of a password ends the host, and what follows looks like a path or a query.
      if (`${path}?${query}`.includes("@")) throw refuse(UNENCODED);
      if (query !== "") throw refuse("query parameters are not supported");
      const address = {
        host: host.startsWith("[") ? host.slice(1, -1) : host,
        port: port === "" ? defaultPort : integer(port, 1, 65535, `${option}: the port`),
        tls: /^(rediss|valkeys)$/i.test(scheme),
        tlsOptions: {},
        path: null,
      };
      return { address, ...login, database: parseDatabase(path.slice(1), option) };
    }
    case "unix":
    case "redis+unix": {
      if (path.length < 2) throw refuse("the socket path is missing");
      if (host !== "" || port !== "") throw refuse("a unix socket has no host (use three slashes)");
      const database = /^(?:db=(.*))?$/.exec(query);
      if (database === null) throw refuse("the only supported query parameter is db");
      const address = unixAddress(decode(path, "path", refuse));
      return { address, ...login, database: parseDatabase(database[1] ?? "", option) };
    }
    default:
      throw refuse(
        /\+(cluster|sentinel)$/i.test(scheme)
          ? "the URL of several servers is accepted only as the client's url"
          : "unknown scheme",
      );
  }
}

/** A server's name in messages. */
export function nameOf({ host, port, path }: HostPort & Partial<Pick<Address, "path">>): string {
  return path ?? `${host.includes(":") ? `[${host}]` : host}:${port}`;
}

/** Whether a host is an IP address. */
export function isIp(host: string): boolean {
  return host.includes(":") || /^\d+(\.\d+){3}$/.test(host);
}

/** A host and a port. */
export type HostPort = Pick<Address, "host" | "port">;

/** Reads `host:port`, where an IPv6 host may be in brackets or not; undefined for anything else. */
export function parseHostPort(text: string): HostPort | undefined {
  const [, host = "", digits = ""] = /^\[?([\w.:-]{1,253}?)\]?:(\d{1,5})$/.exec(text) ?? [];
  const port = Number(digits);
  return port >= 1 && port <= 65535 ? { host, port } : undefined;
}

type Refuse = (problem: string) => TypeError;

/** What surrounds a URL by mistake, such as the line break at the end of the file that it was read from. */
function wrappingOf(url: string): string | undefined {
  const [edge] = /^\s|\s$/.exec(url) ?? [];
  if (edge !== undefined) {
    const where = url.startsWith(edge) ? "begins" : "ends";
    return `${where} with ${/[\r\n]/.test(edge) ? "a line break" : "whitespace"}`;
  }
  return /^(["'`]).*\1$/.test(url) ? "is in quotation marks" : undefined;
}

function unixAddress(path: string): Address {
  return { host: "", port: 0, tls: false, tlsOptions: {}, path };
}

function parseUserinfo(userinfo: string | undefined, refuse: Refuse): { user: string; password: string } {
  if (userinfo === undefined || userinfo === "" || userinfo === ":") return { user: "", password: "" };
  const colon = userinfo.indexOf(":");
  if (colon === -1) {
    throw refuse(
      "there is no colon before the @ (write :password@ for a password without a user, and user:@ for an empty password)",
    );
  }
  return {
    user: decode(userinfo.slice(0, colon), "user", refuse),
    password: decode(userinfo.slice(colon + 1), "password", refuse),
  };
}

function decode(text: string, what: string, refuse: Refuse): string {
  try {
    return decodeURIComponent(text);
  } catch {
    // The original error adds nothing, so it is not the cause.
    throw refuse(`the ${what} has a malformed percent-encoding`);
  }
}

function parseDatabase(text: string, option: string): number {
  return text === "" ? 0 : integer(text, 0, 2 ** 31 - 1, `${option}: the database`);
}

function integer(text: string, min: number, max: number, what: string): number {
  const value = /^[0-9]+$/.test(text) ? Number(text) : Number.NaN;
  if (!(value >= min && value <= max))
    throw new RangeError(`${what} must be an integer from ${min} to ${max}`);
  return value;
}
