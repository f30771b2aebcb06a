// What is excused behind sentinels: see replicated/excuses.js.
import { answersOfFormer, excuses } from "../replicated/excuses.js";
import { switchKnownAt } from "./known.js";

/** `ports` by server; the others as there. Returns { excuse, answersOf }. */
export function excusesWithSentinels({ elections, wire, ports, checker }) {
  const knownAt = ({ client, ...answer }) =>
    switchKnownAt(
      { wire, ports, elections },
      { ...answer, client, began: checker.beganAt(client, answer.told) },
    );
  return {
    excuse: excuses({
      elections,
      wire,
      // Nobody waits for a replica, not even when sentinels are told to replace a master that lives.
      loses: () => true,
      // One that lives serves on until sentinels make it a replica; one that was killed is back, empty.
      isFormer: () => true,
      knownAt,
      readAt: (...read) => checker.readAt(...read),
    }),
    answersOf: (server, election) => answersOfFormer({ wire, knownAt }, server, election),
  };
}
