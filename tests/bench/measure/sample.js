// One sample: a worker process and its result.
import { startWorker } from "../../js/support/processes.js";

const folder = new URL("../workers/", import.meta.url);

/** Starts `workers/NAME.js` with `input`. The worker ends with `scope`. */
export const start = (scope, name, input, options) =>
  startWorker(scope, new URL(`${name}.js`, folder), input, options);

/** Waits for the worker's `result` and for its end; it ends in any case. */
export async function resultOf(worker, within = 300_000) {
  try {
    const { result } = await worker.said((message) => message.result, within);
    return result;
  } finally {
    worker.signal("SIGKILL");
    await worker.exit;
  }
}

/** As {@link start} and {@link resultOf}. */
export const sample = (scope, name, input, options) => resultOf(start(scope, name, input, options));
