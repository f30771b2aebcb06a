// Scene: a holder is killed in the middle of its lease, and the lock passes on when the lease ends.
import { bold, print, showCountdown } from "./display.js";
import { result } from "./stage.js";

const LEASE = 2_000;

export async function inheritance({ redis, start }) {
  print(bold("2. A holder is killed in the middle of its lease"));
  const [holder] = await start("hold", [{ ttl: LEASE }]);
  const held = await holder.said((message) => message.holds);
  print(`  process ${holder.child.pid} holds the lock, for ${LEASE / 1_000} s, fence ${held.fence}`);
  const [heir] = await start("inherit", [{}]);
  await heir.said((message) => message.waits);
  holder.child.kill("SIGKILL");
  const { signal } = await holder.exit;
  const left = Number(await redis.send("PTTL", "lock:inheritance"));
  const end = Date.now() + left;
  print(`  killed with ${signal}; its lease has ${left} ms to go, and process ${heir.child.pid} waits`);
  const countdown = showCountdown("the lease ends in", () => end - Date.now());
  let inherited;
  try {
    inherited = await heir.said((message) => message.inherits, LEASE + 10_000);
  } finally {
    countdown.stop();
  }
  const after = inherited.at - held.asked;
  const grown = BigInt(inherited.fence) > BigInt(held.fence);
  print(`  process ${heir.child.pid} has it ${after} ms after the first one asked, fence ${inherited.fence}`);
  print();
  return [
    result(
      "holder killed mid-lease",
      "SIGKILL, lease not over",
      `${signal}, ${left} ms left`,
      signal === "SIGKILL" && left > 0,
    ),
    // The wall clocks of two processes are read in whole ms.
    result(
      "lock passed on",
      `${LEASE} to ${LEASE + 500} ms`,
      `${after} ms`,
      after >= LEASE - 1 && after <= LEASE + 500,
    ),
    result("fence of the heir", "greater", grown ? "greater" : "not greater", grown),
  ];
}
