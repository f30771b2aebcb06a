// Pages that load the packed package as browsers do: by an import map, from a web server.
import { fileURLToPath } from "node:url";
import { resolveExport } from "./packed.js";

const below = (path) => fileURLToPath(new URL(`../${path}`, import.meta.url));

/**
 * What startSite needs to serve a page of the folder pages/ at /, and at /strict the same under a content security policy
 * that does not allow WebAssembly.
 */
export function pageSite(packed, script) {
  const entry = (specifier) => `/package/${resolveExport(packed, specifier, ["browser", "import"])}`;
  const imports = { redlatch: entry("redlatch"), "redlatch/slim": entry("redlatch/slim") };
  const body = `<!doctype html>
<title>redlatch</title>
<link rel="icon" href="data:,">
<script type="importmap" nonce="map">${JSON.stringify({ imports })}</script>
<script type="module" src="/pages/${script}"></script>
`;
  const type = "text/html; charset=utf-8";
  const policy = { "content-security-policy": "script-src 'self' 'nonce-map'" };
  return {
    folders: {
      "/package/": packed,
      "/pages/": below("pages"),
      "/conformance/": below("conformance"),
      "/contest/": below("contest"),
    },
    routes: {
      "/": async () => ({ type, body }),
      "/strict": async () => ({ type, body, headers: policy }),
    },
  };
}
