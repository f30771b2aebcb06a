#!/usr/bin/env node
// A bridge for development: it forwards binary WebSocket frames to a Redis server, and the replies back, so that browsers can
// reach the server with fromWebSocket. Needs Node.js 20 or later and the package ws (npm install ws).
//
// It is no gateway for production, which must also authenticate its users.
import { createServer } from "node:http";
import { connect, isIP } from "node:net";
import { connect as connectTls } from "node:tls";
import { parseArgs } from "node:util";
import { WebSocketServer } from "ws";

const USAGE = `Usage: node websocket-bridge.mjs [options] redis://HOST[:PORT] ...

Forwards WebSocket connections to the given Redis servers, and to no others.
The path selects the server: ws://127.0.0.1:8080/HOST:PORT; / is the first one.
A rediss:// server is reached over TLS; NODE_EXTRA_CA_CERTS=FILE names a
certificate authority of your own. Clients log in themselves: give no passwords.

  --port PORT      the port to listen on, 8080 by default; 0 for any free port
  --host ADDRESS   the address to listen on; 127.0.0.1 by default, so that only
                   this machine can connect
  --origin ORIGIN  admits pages of that origin, such as https://app.example; may
                   be repeated. Pages served from this machine, and clients that
                   send no origin because they are no pages, are always admitted.
  --help           prints this text

In the page:  createClient({ transport: fromWebSocket("ws://127.0.0.1:8080") })`;

const LOCAL_PAGE = /^https?:\/\/(localhost|127\.0\.0\.1|\[::1\])(:\d+)?$/;

function fail(problem) {
  console.error(`websocket-bridge: ${problem}\nSee --help.`);
  process.exit(2);
}

function readArguments() {
  const options = {
    port: { type: "string", default: "8080" },
    host: { type: "string", default: "127.0.0.1" },
    origin: { type: "string", multiple: true, default: [] },
    help: { type: "boolean", default: false },
  };
  try {
    const { values, positionals } = parseArgs({ options, allowPositionals: true });
    const port = /^\d+$/.test(values.port) ? Number(values.port) : Number.NaN;
    if (!(port <= 65535)) fail(`--port must be from 0 to 65535; got ${values.port}`);
    return { ...values, port, servers: positionals };
  } catch (error) {
    return fail(error.message);
  }
}

/** Servers by path. */
function readServers(urls) {
  if (urls.length === 0) fail("name at least one server, such as redis://127.0.0.1:6379");
  const servers = new Map();
  for (const text of urls) {
    const url = URL.canParse(text) ? new URL(text) : undefined;
    // A refused URL is not repeated: it may contain a password.
    if (url === undefined || !/^rediss?:$/.test(url.protocol) || url.hostname === "")
      fail("a server must be given as redis://HOST[:PORT] or rediss://HOST[:PORT]");
    if (url.username + url.password !== "") fail("a server must be given without user and password");
    const port = Number(url.port || 6379);
    const server = { host: url.hostname.replace(/^\[|\]$/g, ""), port, tls: url.protocol === "rediss:" };
    if (servers.size === 0) servers.set("/", server);
    servers.set(`/${server.host}:${port}`.toLowerCase(), server);
  }
  return servers;
}

function dial({ host, port, tls }) {
  if (!tls) return connect({ host, port, noDelay: true });
  return connectTls({ host, port, noDelay: true, ...(isIP(host) === 0 && { servername: host }) });
}

/** Passes bytes on, as fast as the slower side takes them, until one side ends. */
function join(socket, target) {
  const redis = dial(target);
  let end = [1001, "the Redis server closed the connection"];
  socket.on("message", (data, isBinary) => {
    if (!isBinary) socket.close(1003, "binary frames only");
    // Not once it has ended: the closing handshake of what is paused is never seen through.
    else if (!redis.destroyed && !redis.write(data)) socket.pause();
  });
  socket.on("error", () => {});
  socket.on("close", () => redis.destroy());
  redis.on("drain", () => socket.resume());
  redis.on("data", (chunk) => {
    redis.pause();
    socket.send(chunk, () => redis.resume());
  });
  redis.on("error", (error) => {
    const reason = `${target.host}:${target.port}: ${error.code ?? error.message}`;
    console.error(reason);
    // The WebSocket protocol has room for 123 bytes.
    end = [1011, Buffer.from(reason).subarray(0, 120).toString()];
  });
  redis.on("close", () => {
    socket.resume();
    socket.close(...end);
  });
}

const { port, host, origin: origins, help, servers: urls } = readArguments();
if (help) {
  console.log(USAGE);
  process.exit();
}
const servers = readServers(urls);
const upgrades = new WebSocketServer({ noServer: true, perMessageDeflate: false });
const server = createServer((_request, response) => response.writeHead(426).end("WebSockets only\n"));

server.on("upgrade", (request, stream, head) => {
  const refuse = (status) => stream.end(`HTTP/1.1 ${status}\r\nConnection: close\r\n\r\n`);
  stream.on("error", () => {});
  const { origin } = request.headers;
  // Any page that a browser shows can speak to this machine: only known ones may lead to the servers.
  if (origin !== undefined && !LOCAL_PAGE.test(origin) && !origins.includes(origin)) {
    console.error(`refused a page of ${JSON.stringify(origin.slice(0, 100))}; --origin would admit it`);
    return refuse("403 Forbidden");
  }
  const path = request.url.replace(/\?.*/s, "");
  const target = servers.get(decodePath(path));
  if (target === undefined) return refuse("404 Not Found");
  // At once, not when the server is reached: browsers open WebSockets to one host one after the other, so that a server
  // that does not answer would keep them from all others.
  upgrades.handleUpgrade(request, stream, head, (socket) => join(socket, target));
});
server.on("error", (error) => fail(`cannot listen on ${host}:${port}: ${error.code ?? error.message}`));
server.listen(port, host, () => {
  const { address, family, port: chosen } = server.address();
  console.log(`ws://${family === "IPv6" ? `[${address}]` : address}:${chosen}`);
  for (const path of servers.keys()) if (path !== "/") console.log(`  ${path}`);
});

function decodePath(path) {
  try {
    return decodeURIComponent(path).toLowerCase();
  } catch {
    return "";
  }
}
