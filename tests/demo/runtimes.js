// Scene: five runtimes and one counter; without a lock, then with one.
import { startContest } from "../js/support/arena.js";
import { settles } from "../js/support/conditions.js";
import { bold, dim, print, showProgress } from "./display.js";
import { result } from "./stage.js";

const ROUNDS = 50;
const RACES = [
  { name: "no lock", locked: false },
  { name: "plain", locked: true },
];

export async function runtimes(stage) {
  const { scope, redis } = stage;
  print(bold(`Node.js, Deno, Bun, workerd and Chromium, ${ROUNDS} increments each of one counter`));
  const { names, results, done } = await startContest(scope, redis, { rounds: ROUNDS, races: RACES });
  const total = names.length * ROUNDS;
  const progress = showProgress(() =>
    RACES.flatMap((race) => names.map((name) => rowOf(race.name, name, results))),
  );
  try {
    await settles(done, 60_000, "the contest of the runtimes");
  } finally {
    progress.stop();
  }
  for (const [name, { value }] of results) {
    print(`  ${name.padEnd(7)} counter: ${bold(`${value}`)} of ${total}`);
  }
  const { writes } = results.get("plain");
  const handOvers =
    writes.filter(({ contestant }, at) => contestant !== writes[at - 1]?.contestant).length - 1;
  print(dim(`  the lock went from one runtime to another ${handOvers} times`));
  print();
  const lost = (race) => total - results.get(race).value;
  return [
    result(
      "five runtimes without a lock",
      `< ${total}`,
      `${total - lost("no lock")} (${lost("no lock")} lost)`,
      lost("no lock") > 0,
    ),
    result("five runtimes, plain lock", total, total - lost("plain"), lost("plain") === 0),
  ];
}

function rowOf(race, name, results) {
  const done = results.get(race).writes.filter(({ contestant }) => contestant === name).length;
  return { name: `${race.padEnd(7)} ${name.padEnd(8)}`, done, total: ROUNDS };
}
