// Runs one of the conformance tests, in whatever runtime this is.
import { acquire } from "./acquire.js";
import { close } from "./close.js";
import { errors } from "./errors.js";
import { extendVerify } from "./extend-verify.js";
import { keys } from "./keys.js";
import { redlock } from "./redlock.js";
import { reentry } from "./reentry.js";
import { release } from "./release.js";
import { renewal } from "./renewal.js";
import { openStage } from "./stage.js";
import { using } from "./using.js";
import { wait } from "./wait.js";

/** The tests by name: functions of what `openStage` makes. */
export const tests = {
  ...acquire,
  ...keys,
  ...wait,
  ...release,
  ...renewal,
  ...extendVerify,
  ...using,
  ...reentry,
  ...close,
  ...redlock,
  ...errors,
};

/** ms for one test. */
const LIMIT = 20_000;

/**
 * Runs the test `name` with the package `redlatch`. `world`: { control, servers }, as support/world.js makes it; `optionsFor(urls)`: what a
 * client needs to reach those servers from here. Returns undefined when all is well, or what went wrong as text.
 */
export async function run(name, redlatch, world, optionsFor = () => ({})) {
  const { stage, close } = openStage(redlatch, world, optionsFor);
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not done within ${LIMIT} ms`)), LIMIT);
  });
  try {
    await Promise.race([tests[name](stage), late]);
    return undefined;
  } catch (error) {
    return String(error?.stack ?? error);
  } finally {
    clearTimeout(timer);
    await close();
  }
}
