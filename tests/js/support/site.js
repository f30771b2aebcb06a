// A small web server on loopback: files of some folders, and answers of a test's own.
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { extname } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const TYPES = {
  ".js": "text/javascript",
  ".mjs": "text/javascript",
  ".html": "text/html; charset=utf-8",
  ".wasm": "application/wasm",
  ".json": "application/json",
};

/**
 * `folders`: paths by prefix, such as { "/package/": "/a/folder" }. `routes`: by path, async functions of the request's body as text, which
 * return { status, type, body, headers }, all optional. Returns { url, close() } and ends with `scope`.
 */
export async function startSite(scope, { folders = {}, routes = {} }) {
  const server = createServer(async (request, response) => {
    try {
      const chunks = [];
      for await (const chunk of request) chunks.push(chunk);
      const { pathname } = new URL(request.url, "http://site");
      const route = routes[pathname];
      const answer =
        route === undefined ? await fileOf(folders, pathname) : await route(Buffer.concat(chunks).toString());
      const { status = 200, type = "text/plain; charset=utf-8", body = "", headers = {} } = answer;
      response.writeHead(status, { "content-type": type, ...headers }).end(body);
    } catch (error) {
      response.writeHead(500, { "content-type": "text/plain" }).end(String(error?.stack ?? error));
    }
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const close = () =>
    new Promise((resolve) => {
      server.close(resolve);
      server.closeAllConnections();
    });
  scope.after(close);
  return { url: `http://127.0.0.1:${server.address().port}`, close };
}

async function fileOf(folders, pathname) {
  // What URL has made of the path has no `..` left that could lead out.
  const prefix = Object.keys(folders).find((each) => pathname.startsWith(each));
  if (prefix === undefined) return { status: 404, body: "not found\n" };
  const base = pathToFileURL(`${folders[prefix]}/`);
  const file = fileURLToPath(new URL(pathname.slice(prefix.length), base));
  try {
    return { type: TYPES[extname(file)], body: await readFile(file) };
  } catch {
    return { status: 404, body: "not found\n" };
  }
}
