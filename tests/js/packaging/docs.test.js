// Everything public is documented where editors show it: with its unit if it is a number, with how it fails if it can.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { join } from "node:path";
import { test } from "node:test";
import { packageFolder } from "../support/redlatch.js";

// The last one with a parser to call; the package itself is compiled by a newer one.
const ts = createRequire(new URL("../../packaging/package.json", import.meta.url))("typescript52");

const UNITS = /\bms\b|\b1 to 65535\b|how (often|many)|share of|number of the database/i;
const OUTCOMES = /reject|never|throw/i;

/** By entry, how many declarations it has at least. */
const ENTRIES = { "browser.d.ts": 100, "slim/browser.d.ts": 100, "memory/browser.d.ts": 10 };

for (const [entry, least] of Object.entries(ENTRIES)) {
  test(`${entry}: every export and member has a comment that says enough`, () => {
    const options = {
      module: ts.ModuleKind.NodeNext,
      target: ts.ScriptTarget.ES2022,
      strict: true,
      types: [],
    };
    const file = join(packageFolder, "dist/entry", entry);
    const program = ts.createProgram([file], { ...options, lib: ["lib.es2022.d.ts", "lib.dom.d.ts"] });
    const checker = program.getTypeChecker();
    const exported = checker.getExportsOfModule(checker.getSymbolAtLocation(program.getSourceFile(file)));
    const missing = [];
    let checked = 0;

    const look = (symbol, name) => {
      checked += 1;
      const text = ts.displayPartsToString(symbol.getDocumentationComment(checker));
      if (text === "") missing.push(`${name}: no comment`);
      return text;
    };
    const lookAtMember = (symbol, owner, ofOwner) => {
      const declaration = symbol.declarations?.find((each) =>
        each.getSourceFile().fileName.startsWith(join(packageFolder, "dist")),
      );
      // Of Error, or of AsyncDisposable.
      if (declaration === undefined || symbol.name.startsWith("__@")) return;
      const name = `${owner}.${symbol.name}`;
      const text = look(symbol, name);
      const type = checker.getNonNullableType(checker.getTypeOfSymbolAtLocation(symbol, declaration));
      if (type.flags & ts.TypeFlags.Number && !UNITS.test(ofOwner + text)) missing.push(`${name}: no unit`);
      lookAtCalls(type, name, text);
    };
    const lookAtCalls = (type, name, text) => {
      for (const signature of type.getCallSignatures()) {
        const result = checker.typeToString(signature.getReturnType());
        if (result.startsWith("Promise<") && !OUTCOMES.test(text)) {
          missing.push(`${name}: does not say whether it rejects`);
        }
      }
    };

    for (const alias of exported) {
      const symbol = alias.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(alias) : alias;
      const { name } = symbol;
      const text = look(symbol, name);
      const [declaration] = symbol.declarations;
      if (ts.isFunctionDeclaration(declaration)) {
        lookAtCalls(checker.getTypeOfSymbolAtLocation(symbol, declaration), name, text);
      }
      if (ts.isInterfaceDeclaration(declaration) || ts.isClassDeclaration(declaration)) {
        for (const member of checker.getPropertiesOfType(checker.getDeclaredTypeOfSymbol(symbol))) {
          lookAtMember(member, name, text);
        }
      }
      // Of several shapes each has its comment, for all of its members.
      if (ts.isTypeAliasDeclaration(declaration) && ts.isUnionTypeNode(declaration.type)) {
        let end = declaration.type.pos;
        for (const part of declaration.type.types) {
          const before = part.getSourceFile().text.slice(end, part.getStart());
          end = part.end;
          checked += 1;
          if (ts.isTypeLiteralNode(part) && !before.includes("/**")) {
            missing.push(`${name}: no comment on ${part.getText()}`);
          }
        }
      }
    }
    assert.deepEqual([...new Set(missing)], []);
    assert.ok(checked > least, `only ${checked} declarations were found`);
  });
}
