// Fails on a circle of imports between source files, and on an import against the floors of floors.js.
//
//   node tests/lint/imports.js [TREE...]        all trees by default
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { TREES } from "./floors.js";
import { importsOf, isTest } from "./paths.js";

/** Every breach of the rules in `files`, a map from names to contents, in words. */
export function breaches(files, { floors, exceptions = [], only = {} }) {
  const graph = new Map();
  for (const [name, text] of files) {
    if (isTest(name)) continue;
    const targets = importsOf(name, text, files).filter((target) => !isTest(target));
    const isException = (target) =>
      exceptions.some(([from, to]) => from === name && (target === to || target.startsWith(`${to}/`)));
    graph.set(name, [...new Set(targets)].filter((target) => !isException(target)).sort());
  }
  return [...againstFloors(graph, roomsOf(floors), only), ...circles(graph)];
}

/** By room: the number of its floor, 0 being the top, and the number of its group on that floor. */
function roomsOf(floors) {
  const rooms = new Map();
  const lines = floors.trim().split("\n");
  lines.forEach((line, floor) => {
    line.split("|").forEach((group, index) => {
      for (const room of group.trim().split(/\s+/)) rooms.set(room, { room, floor, group: index });
    });
  });
  return rooms;
}

function againstFloors(graph, rooms, only) {
  const found = [];
  for (const [name, targets] of graph) {
    const from = roomOf(name, rooms);
    if (from === undefined) found.push(`${name} stands on no floor`);
    for (const target of targets) {
      const to = roomOf(target, rooms);
      if (from === undefined || to === undefined || from === to) continue;
      const names = `${name} imports ${target}`;
      const users = only[to.room];
      if (to.floor < from.floor) found.push(`${names}: "${to.room}" is above "${from.room}"`);
      else if (to.floor === from.floor && to.group !== from.group)
        found.push(
          `${names}: "${to.room}" and "${from.room}" are peers, which import nothing from each other`,
        );
      else if (users !== undefined && !users.includes(name))
        found.push(`${names}: "${to.room}" is only for ${users.join(" and ")}`);
    }
  }
  return found;
}

/** The longest entry that a file belongs to. */
function roomOf(name, rooms) {
  const parts = name.split("/");
  for (let length = parts.length; length > 0; length -= 1) {
    const room = rooms.get(parts.slice(0, length).join("/"));
    if (room !== undefined) return room;
  }
  return undefined;
}

/** One circle through each file that is on any circle not yet found. */
function circles(graph) {
  const found = [];
  const onCircle = new Set();
  for (const name of graph.keys()) {
    if (onCircle.has(name)) continue;
    const circle = shortestCircle(name, graph);
    if (circle === undefined) continue;
    for (const each of circle) onCircle.add(each);
    found.push(`circle: ${circle.join(" imports ")}`);
  }
  return found;
}

/** The shortest way from a file back to itself, by breadth. */
function shortestCircle(name, graph) {
  const ways = [[name]];
  const seen = new Set();
  for (const way of ways) {
    for (const target of graph.get(way.at(-1)) ?? []) {
      if (target === name) return [...way, name];
      if (seen.has(target)) continue;
      seen.add(target);
      ways.push([...way, target]);
    }
  }
  return undefined;
}

function sourcesOf(folder) {
  const names = readdirSync(folder, { recursive: true }).filter((name) => /\.(ts|rs)$/.test(name));
  return new Map(names.sort().map((name) => [name, readFileSync(join(folder, name), "utf8")]));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const root = fileURLToPath(new URL("../..", import.meta.url));
  const trees = process.argv.length > 2 ? process.argv.slice(2) : Object.keys(TREES);
  for (const tree of trees) {
    const files = sourcesOf(join(root, tree));
    const found = breaches(files, TREES[tree]);
    for (const breach of found) console.error(`${tree}: ${breach}`);
    if (found.length > 0) process.exitCode = 1;
    else console.log(`${tree}: ${files.size} files, no circle, no import against the floors`);
  }
}
