// An HTTP endpoint in front of a real redis-server that speaks as Upstash's does: POST / and POST /pipeline.
import { createServer } from "node:http";

/**
 * Listens on a free loopback port; `token` is what requests must bear. The knobs may be turned at any time:
 *  interfere  (body, response) => true when it has answered by itself
 *  before     () => a promise that each request waits for before its commands are run
 *  after      () => the same, before its answer is sent
 * It counts `requests`, those `underWay`, and the `most` of these.
 */
export async function startRestEndpoint(scope, redis, { token = "rest-token" } = {}) {
  const endpoint = {
    token,
    requests: 0,
    underWay: 0,
    most: 0,
    interfere: () => false,
    before: async () => {},
    after: async () => {},
  };

  const run = async (connection, command) => {
    try {
      return { result: await connection.send(...command) };
    } catch (error) {
      return { error: error.message };
    }
  };
  const answer = async (request, body) => {
    if (request.headers.authorization !== `Bearer ${token}`) {
      return [401, { error: "WRONGPASS invalid or missing auth token" }];
    }
    if (request.method !== "POST") return [405, { error: "Method Not Allowed" }];
    // A connection for each request, as services have many: what is sent later may run earlier.
    const connection = await redis.connect();
    try {
      if (request.url === "/") {
        const outcome = await run(connection, JSON.parse(body));
        return ["error" in outcome ? 400 : 200, outcome];
      }
      if (request.url !== "/pipeline") return [404, { error: "Not Found" }];
      const outcomes = [];
      for (const command of JSON.parse(body)) outcomes.push(await run(connection, command));
      return [200, outcomes];
    } finally {
      connection.close();
    }
  };

  const server = createServer(async (request, response) => {
    endpoint.requests += 1;
    endpoint.underWay += 1;
    endpoint.most = Math.max(endpoint.most, endpoint.underWay);
    response.once("close", () => {
      endpoint.underWay -= 1;
    });
    try {
      let body = "";
      request.setEncoding("utf8");
      for await (const chunk of request) body += chunk;
      if (await endpoint.interfere(body, response)) return;
      await endpoint.before();
      const [status, outcome] = await answer(request, body);
      await endpoint.after();
      response.writeHead(status, { "content-type": "application/json" });
      response.end(JSON.stringify(encoded(outcome, request.headers["upstash-encoding"])));
    } catch {
      // The client has gone, or the server behind.
      response.destroy();
    }
  });
  const listen = (port) => new Promise((resolve) => server.listen(port, "127.0.0.1", resolve));
  const stop = () =>
    new Promise((resolve) => {
      server.close(resolve);
      server.closeAllConnections();
    });
  await listen(0);
  const { port } = server.address();
  scope.after(stop);
  return Object.assign(endpoint, { port, url: `http://127.0.0.1:${port}`, stop, start: () => listen(port) });
}

/** Upstash's client asks for strings in base64, except for OK. */
function encoded(value, encoding) {
  if (encoding !== "base64") return value;
  if (typeof value === "string" && value !== "OK") return Buffer.from(value).toString("base64");
  if (Array.isArray(value)) return value.map((each) => encoded(each, encoding));
  if (value !== null && typeof value === "object" && "result" in value) {
    return { result: encoded(value.result, encoding) };
  }
  return value;
}
