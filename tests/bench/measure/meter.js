// CPU time and commands of this process and of servers, for workers, which measure themselves.
import { adminClient } from "../../js/support/raw-client.js";
import { callsOf } from "../../js/support/server-state.js";

/** Opens connections of its own to the servers. `commands`: the names of the commands that are counted. */
export async function openMeter(ports, commands = ["evalsha", "eval"]) {
  const servers = await Promise.all(ports.map((port) => adminClient({ host: "127.0.0.1", port })));
  return {
    /** The connection to the first server. */
    server: servers[0],
    /** { ms, clientUs, serverUs, commands } since some time in the past; `serverUs` and `commands` of all servers together. */
    async read() {
      const seen = await Promise.all(servers.map((server) => readServer(server, commands)));
      const { user, system } = process.cpuUsage();
      return {
        ms: performance.now(),
        clientUs: user + system,
        serverUs: sum(seen.map(({ us }) => us)),
        commands: sum(seen.map(({ calls }) => calls)),
      };
    },
  };
}

/** The differences between two readings. */
export const used = (before, after) =>
  Object.fromEntries(Object.keys(before).map((key) => [key, after[key] - before[key]]));

async function readServer(server, commands) {
  const [cpu, calls] = await Promise.all([server.send("INFO", "cpu"), callsOf(server, ...commands)]);
  const { used_cpu_user_main_thread: user, used_cpu_sys_main_thread: system } = fieldsOf(cpu);
  return { us: 1e6 * (user + system), calls };
}

/** The numbers of an INFO reply, by name. */
export function fieldsOf(info) {
  const lines = info.matchAll(/^(\w+):([\d.]+)\r?$/gm);
  return Object.fromEntries(Array.from(lines, ([, name, value]) => [name, Number(value)]));
}

const sum = (values) => values.reduce((total, value) => total + value, 0);
