import type { Address } from "../types/types.js";

/** One server: where it is, and how to log in there. */
export interface Endpoint {
  readonly address: Address;
  /** `""` when there is none. */
  readonly user: string;
  /** `""` when there is none. */
  readonly password: string;
  readonly database: number;
}

const LOOPBACK = /^(localhost|(::ffff:)?127(\.(25[0-5]|2[0-4]\d|1?\d?\d)){3}|::1)$/i;

/** Whether what is sent there stays on this machine. */
export function isLocal({ host, path }: Pick<Address, "host" | "path">): boolean {
  return path !== null || LOOPBACK.test(host);
}

/** Where a client with a transport of its own is by default. */
export const localEndpoint: Endpoint = {
  address: { host: "127.0.0.1", port: 6379, tls: false, tlsOptions: {}, path: null },
  user: "",
  password: "",
  database: 0,
};

const ACCEPTED =
  "redis://[user:password@]host[:port][/database], rediss://... for TLS, or unix:///path[?db=0]";

// scheme :// userinfo @ host : port / path ? query. The last @ before the path ends the userinfo.
const SHAPE =
  /^([a-z][a-z0-9+]*):\/\/(?:([^/?#]*)@)?(\[[0-9a-f:.]+(?:%[^\]\s]+)?\]|[^\s:/?#@[\]]*)(?::([0-9]*))?(\/[^?#]*)?(?:\?([^#]*))?$/i;

/**
 * Parses a server's URL; `option` is the name that errors give it. They never repeat the URL: it may hold a password.
 */
export function parseUrl(url: string, option: string): Endpoint {
  if (url.length > 1 && url.startsWith("/")) return { ...localEndpoint, address: unixAddress(url) };
  const refuse = (problem: string) => new TypeError(`${option}: ${problem}; accepted is ${ACCEPTED}`);
  const [match, scheme = "", userinfo, host = "", port = "", path = "", query = ""] = SHAPE.exec(url) ?? [];
  if (match === undefined) {
    throw refuse("this is not a server's URL (special characters in a password must be percent-encoded)");
  }
  const login = parseUserinfo(userinfo, refuse);
  switch (scheme.toLowerCase()) {
    case "redis":
    case "rediss": {
      if (host === "") throw refuse("the host is missing");
      if (query !== "") throw refuse("parameters after ? are not known here");
      const address = {
        host: host.startsWith("[") ? host.slice(1, -1) : host,
        port: port === "" ? 6379 : integer(port, 1, 65535, `${option}: the port`),
        tls: scheme.toLowerCase() === "rediss",
        tlsOptions: {},
        path: null,
      };
      return { address, ...login, database: parseDatabase(path.slice(1), option) };
    }
    case "unix":
    case "redis+unix": {
      if (path.length < 2) throw refuse("the path of the socket is missing");
      if (host !== "" || port !== "") throw refuse("a unix socket has no host (write three slashes)");
      const database = /^(?:db=(.*))?$/.exec(query);
      if (database === null) throw refuse("of the parameters after ? only db is known");
      const address = unixAddress(decode(path, "path", refuse));
      return { address, ...login, database: parseDatabase(database[1] ?? "", option) };
    }
    default:
      throw refuse(`the scheme is not known`);
  }
}

/** How messages name a server. */
export function nameOf(address: Address): string {
  if (address.path !== null) return address.path;
  const host = address.host.includes(":") ? `[${address.host}]` : address.host;
  return `${host}:${address.port}`;
}

type Refuse = (problem: string) => TypeError;

function unixAddress(path: string): Address {
  return { host: "", port: 0, tls: false, tlsOptions: {}, path };
}

function parseUserinfo(userinfo: string | undefined, refuse: Refuse): { user: string; password: string } {
  if (userinfo === undefined || userinfo === "" || userinfo === ":") return { user: "", password: "" };
  const colon = userinfo.indexOf(":");
  if (colon === -1 || colon === userinfo.length - 1) {
    throw refuse("there is a user without a password (write :password@ for a password alone)");
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
    // Not passed on as the cause: it is of no use beyond what is said here.
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
