import { cpSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { copyDocument } from "./documents.mjs";
import { root, template } from "./paths.mjs";

/** Writes the published package.json, with the crate's version, into `folder`, copies documents and examples, and returns the manifest. */
export function stamp(folder) {
  const { scripts, devDependencies, ...manifest } = JSON.parse(
    readFileSync(join(template, "package.json"), "utf8"),
  );
  manifest.version = crateVersion();
  writeFileSync(join(folder, "package.json"), `${JSON.stringify(manifest, null, 2)}\n`);
  cpSync(join(template, "examples"), join(folder, "examples"), { recursive: true });
  for (const name of manifest.files) {
    if (name !== "dist" && name !== "examples") copyDocument(name, folder, manifest.files);
  }
  return manifest;
}

/** The crate's version, which is also the package's. */
export function crateVersion() {
  const cargoToml = readFileSync(join(root, "Cargo.toml"), "utf8");
  const version = /^\[package\][^[]*?^version = "([^"]+)"/m.exec(cargoToml)?.[1];
  if (version === undefined) throw new Error("Cargo.toml has no version in [package]");
  return version;
}
