import type { TlsOptions } from "../types/transport.js";
import { check, optionsOf, show } from "./validate.js";

const TLS_OPTIONS = new Set<string>(["ca", "cert", "key", "servername"] satisfies (keyof TlsOptions)[]);

/** Checks TLS options, which errors call `name`. */
export function parseTls(value: unknown, name: string): TlsOptions | undefined {
  if (value === undefined) return undefined;
  if (typeof value === "string") throw new TypeError(`${name}: options must be an object; got a string`);
  const { ca, ...strings } = optionsOf<TlsOptions>(name, value, TLS_OPTIONS);
  const authorities = ca === undefined ? [] : [ca].flat();
  // Some runtimes treat an empty list as their default authorities.
  if (ca !== undefined && authorities.length === 0) {
    throw new TypeError(
      `${name}.ca must contain at least one certificate; omit it to use the runtime's authorities`,
    );
  }
  for (const each of authorities) pem(`${name}.ca`, each);
  if (strings.cert !== undefined) pem(`${name}.cert`, strings.cert);
  if (strings.key !== undefined) pem(`${name}.key`, strings.key);
  if (strings.servername !== undefined) serverName(`${name}.servername`, strings.servername);
  if ((strings.cert === undefined) !== (strings.key === undefined)) {
    throw new TypeError(`${name}: cert and key must be given together`);
  }
  return ca === undefined ? strings : { ...strings, ca: authorities as string[] };
}

/** The error of TLS options without TLS: a missing "s" in a URL must not pass unnoticed. */
export function uselessTls(name: string): TypeError {
  return new TypeError(`${name} has no effect without TLS; use a rediss:// URL`);
}

/** An empty name would turn off the name check in some runtimes, and TLS does not allow an IP address as a server name. */
function serverName(name: string, value: unknown): void {
  const given = check(name, value, "string");
  if (/[a-z]/i.test(given) && /^[a-z0-9._-]+$/i.test(given)) return;
  throw new TypeError(`${name} must be a host name, not an IP address; got ${show(given)}`);
}

/** The value is never shown: it may be a private key. */
function pem(name: string, value: unknown): void {
  if (typeof value === "string" && value.includes("-----BEGIN ")) return;
  throw new TypeError(
    `${name} must be a PEM string ("-----BEGIN ..."); got ${typeof value === "string" ? "some other string" : show(value)}`,
  );
}
