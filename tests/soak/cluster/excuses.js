// What is excused in a cluster: see replicated/excuses.js.
import { answersOfFormer, excuses } from "../replicated/excuses.js";
import { mapKnownAt } from "./known.js";

/** `slots` by name of a lock, `ports` by server; the others as there. Returns { excuse, answersOf }. */
export function excusesInCluster({ elections, wire, slots, ports, readAt }) {
  const knownAt = (answer) => mapKnownAt(wire, { slots, ports }, answer);
  return {
    excuse: excuses({
      elections,
      wire,
      // A planned one waits for its replica.
      loses: (cause) => cause !== "planned failover",
      // Any other primary has agreed to the election, or hears of it at once.
      isFormer: (server, election) => elections.wasStopped(server, election.at),
      knownAt,
      readAt,
    }),
    answersOf: (server, election) => answersOfFormer({ wire, knownAt }, server, election),
  };
}
