// What a cluster's servers say about a client: redirections, requests for the map, connections.

/** The sum of what `count(server)` counts. */
async function sum(servers, count) {
  const counts = await Promise.all(servers.map(count));
  return counts.reduce((total, each) => total + each, 0);
}

/** How many MOVED and ASK these servers have answered to anybody. */
export function redirectionsOf(servers) {
  return sum(servers, async (server) => {
    const statistics = await server.send("INFO", "errorstats");
    const counts = statistics.matchAll(/errorstat_(?:MOVED|ASK):count=(\d+)/g);
    return Array.from(counts, ([, count]) => Number(count)).reduce((total, each) => total + each, 0);
  });
}

/** How many of these commands the servers have got: done, refused and redirected. Scripts of the tests' own count too. */
export function receivedBy(servers, ...commands) {
  return sum(servers, async (server) => {
    const statistics = await server.send("INFO", "commandstats");
    return commands.reduce((total, name) => {
      const line = new RegExp(`^cmdstat_${name.replace("|", "\\|")}:(.*)$`, "m").exec(statistics)?.[1] ?? "";
      const counts = line.matchAll(/\b(?:calls|rejected_calls)=(\d+)/g);
      return Array.from(counts, ([, count]) => Number(count)).reduce((all, each) => all + each, total);
    }, 0);
  });
}

/** How many connections the package has to that server: those of the user in its URL. */
export async function connectionsOf(server) {
  const list = await server.send("CLIENT", "LIST");
  return list.split("\n").filter((line) => / user=default /.test(line)).length;
}
