// What no client can prevent where replicas take over: a lock that a failover has lost, and what a former primary says that does not
// know yet that it was replaced. Each is proved by what the servers had and said, or it is no excuse.
import { indexOf } from "../contender.js";
import { answersTo, denialsTo } from "./answers.js";
import { CONFIRMED, groupOf } from "./lanes.js";

/** How long after its arrival a client may come to what it has read, ms, if its event loop did not stand still. */
const READS = 50;

/**
 * `elections` are of elections.js; `wire` has what the connections carried; `loses(cause)` says whether failovers of that cause may
 * lose anything, and `isFormer(server, election)` whether a server that was not elected may have served on. `knownAt({ client,
 * server, owner, lock, told, election })` says when a client could know of that election, by an answer that it got, and
 * `readAt(client, time)` when it came to what had arrived at that time. Returns what topologies.js calls `excuse`.
 */
export function excuses({ elections, wire, loses, isFormer, knownAt, readAt }) {
  const answers = ({ client, token }) => answersTo(wire, indexOf(client), token);
  const denials = ({ client, token }) => denialsTo(wire, indexOf(client), token);

  /** The election that made that server a former primary, if it was one then. */
  const replacedBy = ({ server, answered }) => {
    const last = elections.before(server, answered);
    return last && last.server !== server && isFormer(server, last) ? last : undefined;
  };

  /** What a failover has lost of a lock until then: its key, or its last extension. */
  const lostBy = (hold, keys, until) => {
    for (const election of elections.all) {
      const { held, at, answered, cause } = election;
      if (held === undefined || at > until || !loses(cause)) continue;
      for (const key of keys) {
        const found = held.get(key);
        if (found === undefined || (found.token === hold.token && found.until >= until)) continue;
        const wasGranted = hold.start <= answered || answers(hold).some((each) => each.answered <= at);
        if (wasGranted)
          return found.token === hold.token ? "a failover lost an extension" : "a failover lost the key";
      }
    }
    return undefined;
  };

  /** Whether one of these answers was that of a former primary that its client could not know to be one. */
  const isDeceived = (hold, until, given) => {
    const client = indexOf(hold.client);
    return given.some((answer) => {
      const election = replacedBy(answer);
      if (election === undefined || answer.answered > until) return false;
      const known = knownAt({ ...answer, client, election });
      return known === undefined || answer.told <= readAt(hold.client, known) + READS;
    });
  };

  return (first, second, key) => {
    // The replicas have them, so no failover loses any; and a former primary has no replica.
    if (first.group === CONFIRMED) return undefined;
    const both = second === undefined ? [first] : [first, second];
    const until = second === undefined ? first.end : second.start;
    for (const hold of both) {
      const lost = lostBy(hold, key === undefined ? hold.keys : [key], until);
      if (lost !== undefined) return lost;
    }
    if (both.some((hold) => isDeceived(hold, until, answers(hold)))) return "a former primary answered";
    // One that was killed is back without the lock, and says so.
    const isDenied = second === undefined && isDeceived(first, until, denials(first));
    return isDenied ? "a former primary denied the lock" : undefined;
  };
}

/**
 * How many grants and extensions a primary has given after that election of another one: those that clients got before they could know
 * of it, and those that came after, which no client may believe. Without locks that need the replica's word too.
 */
export function answersOfFormer({ wire, knownAt }, primary, election) {
  const counts = { before: 0, after: 0 };
  for (const client of wire.clients) {
    for (const answer of answersTo(wire, client)) {
      const { server, lock, answered, told } = answer;
      if (server !== primary || answered < election.at || groupOf(lock) === CONFIRMED) continue;
      const known = knownAt({ ...answer, client, election });
      counts[known < told ? "after" : "before"] += 1;
    }
  }
  return counts;
}
