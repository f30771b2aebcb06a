// For children.test.js: starts a process and a server, stops both by SIGSTOP, says their process ids, and waits for its own end.
import { guard } from "./support/children.js";
import { say, startWorker } from "./support/processes.js";
import { startRedis } from "./support/redis.js";

const IDLE = "idle";

if (process.argv[2] === IDLE) {
  say({ ready: true });
  setInterval(() => {}, 60_000);
} else {
  guard();
  const scope = { after() {} };
  const worker = startWorker(scope, import.meta.url, undefined, { more: [IDLE], group: true });
  await worker.said(({ ready }) => ready);
  const server = await startRedis(scope);
  const [, pid] = /process_id:(\d+)/.exec(await server.send("INFO", "server"));
  worker.signal("SIGSTOP");
  server.pause();
  say({ stopped: [worker.child.pid, Number(pid)] });
}
