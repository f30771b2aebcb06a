// As usage.ts: what an application says about the runtime it is on, and about the clients it has.
import type * as whole from "redlatch";
import {
  type Address,
  type Connection,
  createClient,
  fromCommand,
  fromRest,
  fromWebSocket,
  type LockClient,
  LockError,
  type NodeOptions,
  type RestOptions,
  ready,
  type TlsOptions,
  type Transport,
} from "redlatch";
import * as slim from "redlatch/slim";

// Clients that people have.
declare const ioredis: { call(name: string, ...args: (string | Uint8Array)[]): Promise<unknown> };
declare const nodeRedis: { sendCommand(args: (string | Uint8Array)[]): Promise<unknown> };
const carried: Transport = fromCommand(([name, ...args]) => ioredis.call(String(name), ...args));
createClient({ transport: carried, prefix: "" });
createClient({ transport: fromCommand((args) => nodeRedis.sendCommand(args)) });
// @ts-expect-error: it gives a promise
fromCommand(() => "OK");
// @ts-expect-error: a command is a list
fromCommand(async (args: string) => args);
// @ts-expect-error: without a function there is nothing to send by
fromCommand();

// REST.
const rest: RestOptions = { url: "https://h", token: "t" };
createClient({ transport: fromRest({ ...rest, fetch: (url, request) => fetch(url, request) }) });
createClient({ transport: fromRest({ ...rest, fetch }) });
// @ts-expect-error: a token is needed
fromRest({ url: "https://h" });
// @ts-expect-error: an unknown option
fromRest({ ...rest, retries: 3 });

// WebSocket.
createClient({ transport: fromWebSocket("wss://bridge") });
createClient({
  nodes: ["redis://a", "redis://b", "redis://c"],
  transport: fromWebSocket(({ host, port }) => `wss://bridge/${host}:${port}`, { protocols: ["redis"] }),
});
class Socket {
  binaryType = "";
  readonly url: string;
  constructor(url: string) {
    this.url = url;
  }
  send(bytes: Uint8Array): void {
    console.log(bytes.length);
  }
  close(): void {}
  addEventListener(_type: string, _listener: (event: never) => void): void {}
}
createClient({ transport: fromWebSocket("wss://bridge", { WebSocket: Socket }) });
// @ts-expect-error: that is none
fromWebSocket("wss://bridge", { WebSocket: Date });
// @ts-expect-error: an URL is a string
fromWebSocket(new URL("wss://bridge"));

// TLS.
const tls: TlsOptions = { ca: ["-----BEGIN"], cert: "-----BEGIN", key: "-----BEGIN", servername: "h" };
createClient({ url: "rediss://h", tls, allowPlaintextAuth: false });
// @ts-expect-error: there is no way not to verify
createClient({ url: "rediss://h", tls: { rejectUnauthorized: false } });

// A transport for each server.
const nodes: NodeOptions[] = [
  { url: "rediss://a", tls },
  { transport: carried },
  { url: "b", transport: carried },
];
const redlock: LockClient = createClient({ nodes });
// @ts-expect-error: a server has no lease
createClient({ nodes: [{ url: "redis://a", ttl: 5 }] });

// A socket of one's own.
const own: Transport = {
  carrier: "stream",
  secure: true,
  name: "mine",
  async connect(address: Address, handler, signal): Promise<Connection> {
    const { host, port, tls: secure, tlsOptions, path } = address;
    console.log(host.length + port, secure, tlsOptions.servername, path?.length, signal.aborted);
    handler.data(new Uint8Array(1));
    handler.close(new Error("over"));
    return { write: (bytes) => void bytes.length, close() {} };
  },
};
// @ts-expect-error: one of the two
const neither: Transport = { ...own, carrier: "pigeons" };
// @ts-expect-error: it must connect
createClient({ transport: { carrier: "commands" } });

// Loading.
const loaded: Promise<void> = ready();
// @ts-expect-error: it has its wasm
ready(new Uint8Array());
const bytes: Promise<void> = slim.ready(new Uint8Array());
await slim.ready(fetch("https://h/core.wasm"));
await slim.ready(await fetch("https://h/core.wasm"));
// @ts-expect-error: where it is, is the application's to know
await slim.ready("core.wasm");
// @ts-expect-error: slim has no wasm of its own
await slim.ready();

// Both have the same, and one's is good for the other.
const same: Omit<typeof whole, "ready"> = slim;
const client: whole.LockClient = slim.createClient({ url: "redis://h", transport: own });
console.log(loaded, bytes, same, neither, redlock, client, new slim.InternalError("m") instanceof LockError);
