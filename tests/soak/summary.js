// What a run came to, in lines.

/** A violation in a line. */
export const described = ({ rule, text, at }) => `VIOLATION of ${rule}: ${text} (at ${at.toFixed(1)})`;

/** Prints the result of runSoak by `say(line)`. */
export function showSummary(result, say) {
  const { violations, counts, faults, happened, byRuntime, byLane, seconds, seed, folder } = result;
  const table = (title, rows) => {
    say(`${title}:`);
    for (const [name, number] of Object.entries(rows).sort()) say(`  ${String(number).padStart(8)}  ${name}`);
  };
  table("faults", faults);
  if (Object.keys(happened).length > 0) table("what happened to servers", happened);
  table("what clients wrote, and what was excused", counts);
  for (const [title, rows] of Object.entries({ "by runtime": byRuntime, "by lane": byLane })) {
    say(`${title}:`);
    for (const [name, { granted, lost, refused }] of Object.entries(rows)) {
      say(`  ${name.padEnd(9)} ${granted} granted, ${lost} lost, ${refused} refused`);
    }
  }
  for (const violation of violations.slice(0, 50)) say(described(violation));
  if (violations.length > 0) say(`The logs are in ${folder}.`);
  const sum = (rows) => rows.reduce((total, [, count]) => total + count, 0);
  const excused = sum(Object.entries(counts).filter(([what]) => what.includes(", excused: ")));
  say(
    `seed ${seed}, ${seconds} s: ${counts.granted ?? 0} locks, ${counts.lost ?? 0} losses, ${sum(Object.entries(faults))} faults, ` +
      `${excused} excused, ${violations.length} violations`,
  );
}
