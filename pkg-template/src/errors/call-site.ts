import type { LockError } from "./errors.js";

/** Where the application called a verb. The engine formats its frames only when somebody reads `stack`. */
export interface CallSite {
  readonly stack?: string;
}

/** The site of an error that no call rejects with, such as a cause; and of a call whose frames are found when it fails. */
export const NOWHERE: CallSite = Object.freeze({});

/** A call of the application, as its errors describe it. */
export interface Call {
  readonly keys: readonly string[];
  readonly site: CallSite;
}

// biome-ignore lint/complexity/noBannedTypes: any function can be on the stack.
type Capture = (target: object, verb?: Function) => void;

const errors: { readonly captureStackTrace?: Capture; stackTraceLimit?: number } = Error;
/** V8, JavaScriptCore and newer versions of Firefox have it. */
const capture = errors.captureStackTrace;

/** The beginning of a frame, in V8's format. */
const FRAME = /^ {4}at /m;

/** Enough to find the call. Each frame costs up to a microsecond, and few calls need theirs. */
const MOST_FRAMES = 4;

/**
 * The stack of the caller of `verb`, which must be on the stack: its own frame and those above it are left out. `NOWHERE` if
 * the client `isBusy`.
 */
// biome-ignore lint/complexity/noBannedTypes: as above.
export function callSite(verb: Function, isBusy = false): CallSite {
  if (isBusy) return NOWHERE;
  if (capture === undefined) return new Error();
  const site = {};
  const limit = errors.stackTraceLimit;
  // Some hosts freeze what all modules share.
  if (limit === undefined || limit <= MOST_FRAMES || Object.isFrozen(Error)) {
    capture(site, verb);
  } else {
    errors.stackTraceLimit = MOST_FRAMES;
    capture(site, verb);
    errors.stackTraceLimit = limit;
  }
  return site;
}

/**
 * Rejects with an error, once it has the frames of the async functions that await the rejection, up to the caller of
 * `verb`. V8 finds these from inside a reaction to a promise that theirs follows, hence the turns before it. Other engines
 * find none.
 */
// biome-ignore lint/complexity/noBannedTypes: as above.
export async function rejectLocated(error: LockError, verb: Function): Promise<never> {
  await undefined;
  await undefined;
  const site = callSite(verb);
  // The verb is no frame if it is no async function, or has returned.
  throw locate(error, FRAME.test(site.stack ?? "") ? site : callSite(rejectLocated));
}

/** Gives an error the frames of the call that it answers, in place of those of a timer or a socket. */
export function locate<E extends LockError>(error: E, site: CallSite): E {
  let text: string | undefined;
  return Object.defineProperty(error, "stack", {
    configurable: true,
    get() {
      text ??= stackOf(error, site);
      return text;
    },
    set(value) {
      text = value;
    },
  });
}

/** In V8 a stack begins with the error's name and message, in other engines with the first frame. */
function stackOf(error: LockError, { stack = "" }: CallSite): string {
  const first = stack.search(FRAME);
  if (first >= 0) return `${error.name}: ${error.message}\n${stack.slice(first)}`;
  return stack.includes("@") ? stack : `${error.name}: ${error.message}`;
}
