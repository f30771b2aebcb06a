import { mkdirSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { facade, modules, template, wasm } from "./paths.mjs";
import { tsc } from "./tsc.mjs";

/**
 * Lets the compiler compare the hand-written declarations of the wasm modules with those of wasm-bindgen: the same methods,
 * the same number of parameters, compatible types.
 */
export function checkFacade() {
  const from = (path) => relative(facade, path).replaceAll("\\", "/");
  mkdirSync(facade, { recursive: true });
  for (const { module, name, room } of modules) {
    writeFileSync(
      join(facade, `${module}.check.ts`),
      `import type { ${name} as Generated } from "${from(wasm)}/${module}.js";
import type { ${name} as Declared, Instance } from "${from(template)}/src/${room}/${module}.js";
type Arity<T, K> = K extends keyof T ? (T[K] extends (...args: infer P) => unknown ? P["length"] : never) : never;
type Differing = { [K in keyof Declared]: Arity<Declared, K> extends Arity<Generated, K> ? never : K }[keyof Declared];
type Undeclared = Exclude<keyof Generated, keyof Declared | typeof Symbol.dispose>;
declare const generated: typeof Generated;
export const constructible: Instance["${name}"] = generated;
export const noneDiffers: [Differing] extends [never] ? true : Differing = true;
export const noneUndeclared: [Undeclared] extends [never] ? true : Undeclared = true;
`,
    );
  }
  writeFileSync(
    join(facade, "tsconfig.json"),
    JSON.stringify({
      extends: `${from(template)}/tsconfig.json`,
      // wasm-bindgen's declarations use the browser's types.
      compilerOptions: {
        noEmit: true,
        module: "ESNext",
        moduleResolution: "bundler",
        rootDir: from(join(wasm, "../..")),
        types: [],
        lib: ["ES2024", "ESNext.Disposable", "DOM"],
      },
      include: [],
      files: modules.map(({ module }) => `${module}.check.ts`),
    }),
  );
  tsc("-p", facade);
}
