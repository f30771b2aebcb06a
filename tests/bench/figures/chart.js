// A chart of horizontal bars as SVG: groups of bars, each group with a scale of its own, each bar with its name and its value.
//
// Plain SVG: no script, no font of its own, no style sheet from outside, so that it is shown wherever an image is.

const WIDTH = 760;
const VALUES = 170;
/** About as wide as a character of a name is. */
const CHARACTER = 7.2;
const BAR = 16;
const STEP = 22;
const MARGIN = 20;

export const THEMES = {
  light: {
    background: "#ffffff",
    text: "#1f2328",
    faint: "#59636e",
    ours: "#0a5fb4",
    peer: "#a9b4c0",
    limit: "#dfe4ea",
    line: "#1f2328",
  },
  dark: {
    background: "#0d1117",
    text: "#e6edf3",
    faint: "#9198a1",
    ours: "#4ea1ff",
    peer: "#59636e",
    limit: "#30363d",
    line: "#e6edf3",
  },
};

/**
 * The SVG of `chart`: { title, subtitle, notes, groups: [{ heading, bars: [{ name, role, value, min, max, label }] }] } in the colours of
 * `theme`. A bar without a value says its label only. `min` and `max` are drawn as a thin line over the end of the bar.
 */
export function drawChart({ title, subtitle, notes, groups }, theme) {
  const start = MARGIN + widthOfNames(groups);
  const body = [];
  let y = MARGIN + 18;
  const line = (x, text, { size = 12, fill = theme.text, weight = 400, anchor = "start" } = {}) => {
    const style = `font-size="${size}" fill="${fill}" font-weight="${weight}" text-anchor="${anchor}"`;
    body.push(`<text x="${x}" y="${y}" ${style}>${escaped(text)}</text>`);
  };
  line(MARGIN, title, { size: 17, weight: 600 });
  y += 20;
  line(MARGIN, subtitle, { fill: theme.faint });
  for (const { heading, bars } of groups) {
    y += 32;
    line(MARGIN, heading, { size: 13, weight: 600 });
    y += 9;
    const top = Math.max(...bars.map(({ value = 0, max = value }) => max));
    for (const bar of bars) {
      body.push(...drawBar(bar, { start, y, top }, theme));
      y += STEP;
    }
  }
  y += 6;
  for (const note of notes) {
    y += 16;
    line(MARGIN, note, { size: 11, fill: theme.faint });
  }
  const height = y + MARGIN;
  const all = groups.flatMap(({ heading, bars }) => [
    `${heading}:`,
    ...bars.map(({ name, label }) => `${name} ${label};`),
  ]);
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img" aria-labelledby="title text" font-family="system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif">`,
    `<title id="title">${escaped(title)}</title>`,
    `<desc id="text">${escaped(`${subtitle}. ${all.join(" ")}`)}</desc>`,
    `<rect width="${WIDTH}" height="${height}" fill="${theme.background}"/>`,
    ...body,
    "</svg>",
    "",
  ].join("\n");
}

function widthOfNames(groups) {
  const lengths = groups.flatMap(({ bars }) => bars.map(({ name }) => name.length));
  return Math.round(CHARACTER * Math.max(...lengths)) + 16;
}

function drawBar({ name, role, value, min, max, label }, { start, y, top }, theme) {
  const ours = role === "ours";
  const middle = y + BAR / 2;
  const text = (x, anchor, content) =>
    `<text x="${round(x)}" y="${middle + 4}" font-size="12" fill="${theme.text}" font-weight="${ours ? 600 : 400}" text-anchor="${anchor}">${escaped(content)}</text>`;
  const longest = WIDTH - start - VALUES - MARGIN;
  const at = (amount) => start + (top > 0 ? (amount / top) * longest : 0);
  const parts = [text(start - 8, "end", role === "limit" ? `(${name})` : name)];
  let end = start;
  if (value !== undefined) {
    end = at(max ?? value);
    // Also what is nearly nothing can be seen.
    const width = round(Math.max(1, at(value) - start));
    parts.push(`<rect x="${start}" y="${y}" width="${width}" height="${BAR}" rx="2" fill="${theme[role]}"/>`);
    if (max > min) {
      parts.push(
        `<path d="M${round(at(min))} ${middle}H${round(at(max))}" stroke="${theme.line}" stroke-width="1"/>`,
      );
    }
  }
  parts.push(text(Math.max(end, at(value ?? 0)) + 6, "start", label));
  return parts;
}

const round = (number) => Math.round(number * 10) / 10;

const ENTITIES = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };
const escaped = (text) => text.replace(/[&<>"]/g, (character) => ENTITIES[character]);
