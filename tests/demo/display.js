// What the demo shows: bars that move on a terminal, plain lines elsewhere, and a table at the end.
const terminal = process.stdout.isTTY === true;
const style = (code) => (text) => (terminal ? `\x1b[${code}m${text}\x1b[0m` : text);

export const bold = style("1");
export const green = style("32");
export const red = style("31");
export const dim = style("2");

export const print = (line = "") => process.stdout.write(`${line}\n`);

const WIDTH = 40;

function bar({ name, done, total }) {
  const filled = Math.round((WIDTH * done) / total);
  return `  ${name}  ${"█".repeat(filled)}${dim("░".repeat(WIDTH - filled))} ${String(done).padStart(3)}/${total}`;
}

/** Shows `rows()` = [{ name, done, total }] until stop() is called. */
export function showProgress(rows) {
  let drawn = 0;
  const draw = () => {
    if (drawn > 0) process.stdout.write(`\x1b[${drawn}A`);
    const lines = rows().map(bar);
    for (const line of lines) process.stdout.write(`\x1b[2K${line}\n`);
    drawn = lines.length;
  };
  if (terminal) draw();
  const timer = terminal ? setInterval(draw, 60) : undefined;
  return {
    stop() {
      clearInterval(timer);
      if (terminal) draw();
      else for (const { name, done, total } of rows()) print(`  ${name}: ${done} of ${total}`);
    },
  };
}

/** Counts down on one line of a terminal until stop() is called. */
export function showCountdown(text, msLeft) {
  const draw = () => process.stdout.write(`\r\x1b[2K  ${text} ${Math.max(0, msLeft() / 1000).toFixed(1)} s`);
  const timer = terminal ? setInterval(draw, 50) : undefined;
  return {
    stop() {
      clearInterval(timer);
      if (terminal) process.stdout.write("\r\x1b[2K");
    },
  };
}

/** The closing table; rows are { what, expected, seen, ok }. */
export function showSummary(rows) {
  const header = { what: "what", expected: "expected", seen: "seen" };
  const width = (column) => Math.max(...[header, ...rows].map((row) => row[column].length));
  const line = (row) =>
    `  ${row.what.padEnd(width("what"))}   ${row.expected.padEnd(width("expected"))}   ${row.seen.padEnd(width("seen"))}`;
  print(bold(line(header)));
  for (const row of rows) print(`${line(row)}   ${row.ok ? green("ok") : red("FAILED")}`);
}
