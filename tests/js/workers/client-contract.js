// Runs the checks of support/client-contract.js over one client, on whichever runtime this is.
import { CHECKS, startAppRedis } from "../support/client-contract.js";
import { clients } from "../support/other-clients.js";
import { input, say } from "../support/processes.js";

const { name } = input();

/** Like a test's: what was registered last is cleaned up first. */
function openScope() {
  const cleanUps = [];
  return {
    after: (cleanUp) => cleanUps.unshift(cleanUp),
    async end() {
      for (const cleanUp of cleanUps) await cleanUp();
    },
  };
}

globalThis.addEventListener?.("unhandledrejection", (event) => {
  event.preventDefault();
  say({ unhandled: String(event.reason?.stack ?? event.reason) });
});

const whole = openScope();
const servers = await Promise.all([1, 2, 3].map(() => startAppRedis(whole)));
for (const [what, check] of Object.entries(CHECKS)) {
  const scope = openScope();
  const error = await check(scope, clients[name], servers).then(
    () => undefined,
    (reason) => String(reason?.stack ?? reason),
  );
  await scope.end();
  say({ what, error });
}
await whole.end();
say({ done: true });
process.exit(0);
