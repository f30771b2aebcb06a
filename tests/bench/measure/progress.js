// Progress of the bench, with an estimate of the time left.

const EVERY = 5_000;

/** `parts`: [{ name, seconds }], how long each is expected to take. `now` is a clock in ms. */
export function makeProgress(parts, { write, live, now = () => performance.now() }) {
  const began = now();
  let at = -1;
  let partBegan = began;
  let done = 0;
  let samples = 1;
  let said = Number.NEGATIVE_INFINITY;

  /** Seconds left. The expected times of later parts are scaled by how long the earlier parts took. */
  function left() {
    const sum = (list) => list.reduce((total, { seconds }) => total + seconds, 0);
    const elapsed = (now() - partBegan) / 1_000;
    const share = done / samples;
    const expected = share > 0 ? elapsed / share : parts[at].seconds;
    const former = sum(parts.slice(0, at)) + (share > 0 ? share * parts[at].seconds : 0);
    const factor = former > 0 ? (now() - began) / 1_000 / former : 1;
    return Math.max(0, expected - elapsed) + factor * sum(parts.slice(at + 1));
  }

  function say(what) {
    if (!live && now() - said < EVERY) return;
    said = now();
    const line = `[${at + 1}/${parts.length} ${parts[at].name}: ${done} of ${samples}] ${what}; about ${inWords(left())} left`;
    write(live ? `\r\x1b[K${line}` : `${line}\n`);
  }

  return {
    left,
    /** The next part begins, with this many samples to take. */
    begin(count) {
      at += 1;
      partBegan = now();
      done = 0;
      samples = count;
      say("starts");
    },
    /** A sample was taken of `what`. */
    step(what) {
      done += 1;
      say(what);
    },
    /** Clears the line, for other output. */
    clear() {
      if (live) write("\r\x1b[K");
    },
  };
}

export function inWords(seconds) {
  return seconds < 90 ? `${Math.ceil(seconds)} s` : `${Math.ceil(seconds / 60)} min`;
}
