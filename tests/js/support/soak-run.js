// Seconds of a soak in which replicas take over: no rule is broken, and all that should happen has happened.
import assert from "node:assert/strict";
import { runSoak } from "../../soak/run.js";

/** `failovers`: the causes that must have come once; `faults`: how often other faults must have come. */
export async function assertSoakHolds(t, run, { failovers, faults: wanted }) {
  const { violations, counts, faults, happened, byRuntime, byLane } = await runSoak(t, run);
  assert.deepEqual(violations, []);
  // Else nothing was put to the test.
  for (const kind of failovers)
    assert.ok(happened[`failover: ${kind}`] >= 1, `${kind}: ${JSON.stringify(happened)}`);
  for (const [kind, times] of Object.entries(wanted))
    assert.ok(faults[kind] >= times, `${kind}: ${JSON.stringify(faults)}`);
  assert.equal(Object.keys(byRuntime).length, 5);
  for (const [name, { granted }] of Object.entries(byRuntime))
    assert.ok(granted > 5, `${name}: ${granted} locks`);
  assert.deepEqual(Object.keys(byLane).sort(), ["confirmed", "fair", "multi", "renewed", "short"]);
  for (const [name, { granted }] of Object.entries(byLane))
    assert.ok(granted > 5, `${name}: ${granted} locks`);
  assert.ok(counts.lost > 0 && counts.renewed > 0, JSON.stringify(counts));
}
