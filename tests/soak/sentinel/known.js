// When a client could know which server is the master: read from what its connections to the sentinels carried.

/** An announcement: the ports of the former master and of the new one. */
const SWITCH =
  />3\r\n\$7\r\nmessage\r\n\$14\r\n\+switch-master\r\n\$\d+\r\n\S+ 127\.0\.0\.1 (\d+) 127\.0\.0\.1 (\d+)\r\n/g;
const QUESTION = /\r\nGET-MASTER-ADDR-BY-NAME\r\n\$\d+\r\n[^\r]*\r\n/g;
const ANSWER = /\*2\r\n\$9\r\n127\.0\.0\.1\r\n\$\d+\r\n(\d+)\r\n/g;
/** Questions to all sentinels are of one turn, ms. */
const TURN = 50;
/** An answer that comes later than that after its question may be too late for its turn, ms. */
const PATIENCE = 1_000;
/**
 * For how long a client may not believe answers that name a server which was replaced, ms: 10 s from when it heard of that, which may be
 * as late.
 */
const DISTRUST = 25_000;

/**
 * When the process `client`, which `began` then, was told first that the server that gave an answer was replaced by the one that was
 * elected: by an announcement, or by most sentinels in answer to one turn of questions. Undefined if it was not. On a connection
 * of which a reply was dropped or doubled, nothing is believed any more. The locks that all replicas confirm need no excuse, so the
 * connections of their client do not matter: `ports` are those of the servers with keys, which come first, then one sentinel for
 * each, and then those of that client.
 */
export function switchKnownAt({ wire, ports, elections }, { client, server, election, began = 0 }) {
  const own = (stage) =>
    wire
      .streams(client, stage)
      .filter((stream) => stream.server >= ports.length && stream.server < 2 * ports.length);
  const [asked, answered] = [own("asked"), own("answered")];
  const port = String(ports[election.server]);
  /** The times at which such a message was told, if `is` accepts what was found. */
  const toldAt = (told, pattern, is) =>
    [...told.text.matchAll(pattern)]
      .filter((match) => is(match))
      .map(endOf)
      .filter((end) => told.at(end) >= election.at)
      .filter((end) =>
        told.isWhole(
          end + 1,
          answered.find((each) => each.isOf(told)),
        ),
      )
      .map((end) => told.at(end));
  // Others are of the same process in an earlier life.
  const connections = own("told").filter((told) => told.at(0) >= began);
  const announced = connections.flatMap((told) =>
    toldAt(told, SWITCH, ([, from, to]) => Number(from) === ports[server] && to === port),
  );
  const answers = connections.flatMap((told) => {
    const questions = asked.find((each) => each.isOf(told));
    return toldAt(told, ANSWER, ([, named]) => named === port).flatMap((at) => {
      const since = lastBefore(questions, at);
      return at - since <= PATIENCE ? [{ sentinel: told.server, since, at }] : [];
    });
  });
  const agreed = isDistrusted(elections.all, election) ? [] : agreements(answers);
  const times = [...announced, ...agreed];
  return times.length === 0 ? undefined : Math.min(...times);
}

const endOf = (match) => match.index + match[0].length - 1;

/** When the question was asked that was answered then. */
function lastBefore(questions, time) {
  const times = [...(questions?.text ?? "").matchAll(QUESTION)].map((match) => questions.at(endOf(match)));
  return times.findLast((at) => at <= time);
}

/** When two of three sentinels had said so in one turn: both were asked before one of them answered. */
function agreements(answers) {
  return answers.flatMap((one) =>
    answers
      .filter((other) => other.sentinel > one.sentinel && Math.abs(other.since - one.since) <= TURN)
      .filter((other) => Math.max(one.since, other.since) <= Math.min(one.at, other.at))
      .map((other) => Math.max(one.at, other.at)),
  );
}

/** Whether the server that was elected had been replaced not long before. */
function isDistrusted(all, election) {
  const before = all.filter((each) => each.at < election.at);
  return before.some(
    (each, index) =>
      each.at > election.at - DISTRUST && (index === 0 || before[index - 1].server === election.server),
  );
}
