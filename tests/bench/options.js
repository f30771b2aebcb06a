// The options of the command line.
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const DEFAULT_OUT = fileURLToPath(new URL("../../target/bench.json", import.meta.url));

/** { help, size: "quick" or "full", rounds, parts, out } of `args`. `parts`: those that exist. Throws on anything else. */
export function readOptions(args, parts) {
  const { values } = parseArgs({
    args,
    options: {
      quick: { type: "boolean", default: false },
      only: { type: "string", multiple: true },
      rounds: { type: "string" },
      out: { type: "string", default: DEFAULT_OUT },
      help: { type: "boolean", default: false },
    },
  });
  const rounds = values.rounds === undefined ? undefined : Number(values.rounds);
  if (rounds !== undefined && !(Number.isInteger(rounds) && rounds >= 1)) {
    throw new Error(`--rounds needs a whole number of at least 1, and got ${values.rounds}`);
  }
  const wanted = values.only?.flatMap((names) => names.split(","));
  for (const name of wanted ?? []) {
    if (!parts.some((part) => part.name === name)) {
      throw new Error(`there is no part ${name}: ${parts.map((part) => part.name).join(", ")}`);
    }
  }
  return {
    help: values.help,
    size: values.quick ? "quick" : "full",
    rounds: rounds ?? (values.quick ? 1 : 3),
    parts: parts.filter(({ name }) => wanted?.includes(name) ?? true),
    out: resolve(values.out),
  };
}

export function helpText(parts) {
  const width = Math.max(...parts.map(({ name }) => name.length));
  const list = parts.map(({ name, about }) => `  ${name.padEnd(width)}  ${about}`);
  return `redlatch beside other lock libraries, in one run.

  make bench ARGS="[--quick] [--only PART[,PART]] [--rounds N] [--out FILE]"

--quick     two minutes: shorter warm-up and measuring, one round, fewer sizes
--only      these parts; may be repeated
--rounds    how often each is measured, in turn: 3 by default, 1 with --quick
--out       where the figures go as JSON: target/bench.json by default
--help      this text

Parts:
${list.join("\n")}

tests/bench/README.md says what each part measures. node tests/bench/draw.js draws the figures.
`;
}
