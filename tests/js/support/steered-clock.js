// Time that moves only when a test says so: for a client's `clock`, and for a memory server's `now`.
import { setImmediate as turn } from "node:timers/promises";

const EPOCH = 1_700_000_000_000;

/** A clock of the package's kind that stands still. `advance(ms)` fires what is due on the way, each at its time. */
export function steeredClock() {
  let time = 0;
  const timers = new Map();
  let handles = 0;
  const nextDue = () => [...timers].sort(([, one], [, other]) => one.due - other.due)[0];
  return {
    now: () => time,
    wall: () => EPOCH + time,
    setTimeout(callback, delay) {
      handles += 1;
      timers.set(handles, { due: time + delay, callback });
      return handles;
    },
    clearTimeout: (handle) => void timers.delete(handle),
    async advance(ms) {
      const end = time + ms;
      await turn();
      for (let next = nextDue(); next !== undefined && next[1].due <= end; next = nextDue()) {
        const [handle, { due, callback }] = next;
        timers.delete(handle);
        time = Math.max(time, due);
        callback();
        // What comes of it is done within promises.
        await turn();
      }
      time = end;
    },
  };
}
