// Scene: five dining philosophers, each a process, each in need of two forks at once.
import { bold, print, showProgress } from "./display.js";
import { result } from "./stage.js";

const SEATS = 5;
const MEALS = 80;
const NAMES = ["Aristotle", "Descartes", "Confucius", "Hypatia", "Avicenna"];

export async function philosophers({ redis, start }) {
  print(bold(`4. ${SEATS} dining philosophers, ${MEALS} meals each: one lock on two forks at once`));
  const seats = NAMES.map((_, seat) => ({
    meals: MEALS,
    forks: [`fork:${seat}`, `fork:${(seat + 1) % SEATS}`],
  }));
  const workers = await start("dine", seats);
  const progress = showProgress(() =>
    workers.map(({ messages }, seat) => ({
      name: NAMES[seat].padEnd(9),
      done: messages.filter((message) => message.meal).length,
      total: MEALS,
    })),
  );
  try {
    await Promise.all(workers.map((worker) => worker.said((message) => message.done, 30_000)));
  } finally {
    progress.stop();
  }
  const meals = workers.reduce((sum, { messages }) => sum + messages.filter(({ meal }) => meal).length, 0);
  const shared = Number(await redis.send("GET", "shared forks"));
  print();
  return [
    result("meals, no deadlock", SEATS * MEALS, meals, meals === SEATS * MEALS),
    result("forks held by two at once", 0, shared, shared === 0),
  ];
}
