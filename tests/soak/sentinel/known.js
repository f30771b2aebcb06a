// When a client could know which server is the master: read from what its connections to the sentinels carried.

/** An announcement: the ports of the former master and of the new one. */
const SWITCH =
  />3\r\n\$7\r\nmessage\r\n\$14\r\n\+switch-master\r\n\$\d+\r\n\S+ 127\.0\.0\.1 (\d+) 127\.0\.0\.1 (\d+)\r\n/g;

/**
 * When the process `client`, which `began` then, was told first that the server that gave an answer was replaced by the one that was
 * elected: by an announcement. Undefined if it was not. On a connection of which a reply was dropped or doubled, nothing is
 * believed any more. The locks that all replicas confirm need no excuse, so the connections of their client do not matter: `ports`
 * are those of the servers with keys, which come first, then one sentinel for each, and then those of that client.
 */
export function switchKnownAt(wire, ports, { client, server, election, began = 0 }) {
  const own = (stage) =>
    wire
      .streams(client, stage)
      .filter((stream) => stream.server >= ports.length && stream.server < 2 * ports.length);
  const answered = own("answered");
  const times = own("told")
    // Others are of the same process in an earlier life.
    .filter((told) => told.at(0) >= began)
    .flatMap((told) => {
      const before = answered.find((each) => each.isOf(told));
      return [...told.text.matchAll(SWITCH)]
        .filter(([, from, to]) => Number(from) === ports[server] && Number(to) === ports[election.server])
        .map((match) => match.index + match[0].length - 1)
        .filter((end) => told.at(end) >= election.at && told.isWhole(end + 1, before))
        .map((end) => told.at(end));
    });
  return times.length === 0 ? undefined : Math.min(...times);
}
