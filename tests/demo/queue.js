// Scene: eight processes queue for a fair lock, and are served in the order in which they arrived.
import { until } from "../js/support/conditions.js";
import { queueLength } from "../js/support/server-state.js";
import { bold, print } from "./display.js";
import { result } from "./stage.js";

const PROCESSES = 8;

export async function queue({ redis, start }) {
  print(bold(`3. ${PROCESSES} processes in the queue of a fair lock; one of them is killed while it waits`));
  const [holder] = await start("keep", [{}]);
  await holder.said((message) => message.holds);
  const processes = Array.from({ length: PROCESSES }, (_, at) => ({ place: at + 1 }));
  const workers = await start("queue", processes);
  // They arrive in another order than that of their numbers.
  const arrival = [3, 8, 1, 6, 4, 7, 2, 5];
  for (const [at, place] of arrival.entries()) {
    await redis.send("RPUSH", `arrive:${place}`, "now");
    await until(async () => (await queueLength(redis, "queue")) === at + 1, {
      what: `place ${at + 1} in the queue`,
    });
  }
  const killed = arrival[2];
  print(`  arrived: ${arrival.join(" ")}; killed: ${killed}`);
  workers[killed - 1].child.kill("SIGKILL");
  await workers[killed - 1].exit;
  await redis.send("RPUSH", "let go", "now");
  const alive = arrival.filter((place) => place !== killed);
  await Promise.all(alive.map((place) => workers[place - 1].said((message) => message.done, 15_000)));
  const served = (await redis.send("LRANGE", "served", 0, -1)).map(Number);
  print(`  served:  ${served.join(" ")}`);
  print();
  const overtakings = served.filter((place, at) =>
    served.slice(at).some((later) => alive.indexOf(later) < alive.indexOf(place)),
  );
  return [
    result("fair queue, order", alive.join(" "), served.join(" "), served.join() === alive.join()),
    result("fair queue, overtakings", 0, overtakings.length, overtakings.length === 0),
  ];
}
