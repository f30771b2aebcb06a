/** One listener per signal, however many calls wait with it: Node.js warns of a leak from the eleventh listener on. */
interface SharedListener {
  readonly callbacks: Set<() => void>;
  readonly listener: () => void;
}

const sharedListeners = new WeakMap<AbortSignal, SharedListener>();

/** Calls `callback` when `signal` aborts; returns a function that stops listening. */
export function onAbort(signal: AbortSignal, callback: () => void): () => void {
  const { callbacks, listener } = sharedListeners.get(signal) ?? share(signal);
  callbacks.add(callback);
  return () => {
    if (!callbacks.delete(callback) || callbacks.size > 0) return;
    sharedListeners.delete(signal);
    signal.removeEventListener("abort", listener);
  };
}

function share(signal: AbortSignal): SharedListener {
  const callbacks = new Set<() => void>();
  const shared = {
    callbacks,
    listener: () => {
      for (const callback of [...callbacks]) callback();
    },
  };
  sharedListeners.set(signal, shared);
  signal.addEventListener("abort", shared.listener);
  return shared;
}
