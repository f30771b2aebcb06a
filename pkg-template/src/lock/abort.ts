/** One listener per signal, however many calls wait with it: Node.js warns of a leak from the eleventh on. */
interface Crowd {
  readonly runs: Set<() => void>;
  readonly listener: () => void;
}

const crowds = new WeakMap<AbortSignal, Crowd>();

/** Calls `run` when `signal` aborts; returns how to stop that. */
export function onAbort(signal: AbortSignal, run: () => void): () => void {
  const { runs, listener } = crowds.get(signal) ?? gather(signal);
  runs.add(run);
  return () => {
    if (!runs.delete(run) || runs.size > 0) return;
    crowds.delete(signal);
    signal.removeEventListener("abort", listener);
  };
}

function gather(signal: AbortSignal): Crowd {
  const runs = new Set<() => void>();
  const crowd = {
    runs,
    listener: () => {
      for (const run of [...runs]) run();
    },
  };
  crowds.set(signal, crowd);
  signal.addEventListener("abort", crowd.listener);
  return crowd;
}
