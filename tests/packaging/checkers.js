// What others check packages with before they are published.
import { checkPackage, createPackageFromTarballData } from "@arethetypeswrong/core";
import { publint } from "publint";
import { formatMessage } from "publint/utils";

/** What publint has to say about the tarball, suggestions included. */
export async function publintMessages(tarball, manifest) {
  const data = tarball.buffer.slice(tarball.byteOffset, tarball.byteOffset + tarball.byteLength);
  const { messages } = await publint({ pack: { tarball: data }, strict: true });
  return messages.map((message) => formatMessage(message, manifest, { color: false }));
}

/**
 * What "Are the types wrong?" finds, in its profile for packages that are ES modules only: TypeScript's resolution of old and
 * its view from CommonJS are left out. The wasm has no types.
 */
export async function typesProblems(tarball) {
  const result = await checkPackage(createPackageFromTarballData(tarball), {
    excludeEntrypoints: ["./core.wasm"],
  });
  if (result.types === false) return { entrypoints: [], problems: ["there are no types at all"] };
  const left = result.problems.filter(
    ({ resolutionKind }) => resolutionKind !== "node10" && resolutionKind !== "node16-cjs",
  );
  return {
    entrypoints: Object.keys(result.entrypoints),
    problems: left.map((problem) => JSON.stringify(problem)),
  };
}
