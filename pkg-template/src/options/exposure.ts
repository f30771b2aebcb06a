import type { Address, Transport } from "../types/transport.js";
import { isLocal } from "./url.js";

/** Whether anything secret goes to that address: a login, if the client has one, or what the transport adds itself. */
export function hasCredentials(address: Address, transport: Transport, hasLogin: boolean): boolean {
  const { credentials = transport.carrier === "commands" } = transport;
  return hasLogin || valueFor(address, credentials);
}

/** Why a connection would expose credentials on the network; undefined if it does not. */
export function exposureOf(address: Address, transport: Transport, hasLogin: boolean): string | undefined {
  const { secure } = transport;
  if (valueFor(address, secure) ?? (address.tls || isLocal(address))) return undefined;
  // A URL that asks for TLS must not be served without it.
  if (!hasCredentials(address, transport, hasLogin) && !address.tls) return undefined;
  const remedy =
    secure === undefined ? "use TLS (rediss://)" : "give the transport an https:// or wss:// URL";
  return `refusing to send credentials in plaintext to a remote host; ${remedy}, or set allowPlaintextAuth: true if the network is trusted`;
}

function valueFor<T extends boolean | undefined>(address: Address, value: T | ((address: Address) => T)): T {
  return typeof value === "function" ? value(address) : value;
}
