// The common checks of a package before it is published.
import { checkPackage, createPackageFromTarballData } from "@arethetypeswrong/core";
import { publint } from "publint";
import { formatMessage } from "publint/utils";

/** webpack includes the query in what it looks for among the exports; publint and TypeScript take it for a part of the file's name. */
const FOR_BUNDLERS = "./core.wasm?module";

/** What publint has to say about the tarball, suggestions included. */
export async function publintMessages(tarball, manifest) {
  const data = tarball.buffer.slice(tarball.byteOffset, tarball.byteOffset + tarball.byteLength);
  const { messages } = await publint({ pack: { tarball: data }, strict: true });
  return messages
    .filter(({ path }) => path[1] !== FOR_BUNDLERS)
    .map((message) => formatMessage(message, manifest, { color: false }));
}

/**
 * What "Are the types wrong?" finds, by every way in which TypeScript resolves modules, from ES modules and from CommonJS. The
 * wasm has no types.
 */
export async function typesProblems(tarball) {
  const result = await checkPackage(createPackageFromTarballData(tarball), {
    excludeEntrypoints: ["./core.wasm", FOR_BUNDLERS],
  });
  if (result.types === false) return { entrypoints: [], problems: ["there are no types at all"] };
  return {
    entrypoints: Object.keys(result.entrypoints),
    problems: result.problems.map((problem) => JSON.stringify(problem)),
  };
}
