import type { Transport } from "../types.js";
import { readCommands, replyOf } from "./resp.js";

/** A command, name first. Arguments that are not UTF-8 come as bytes. */
export type Command = (string | Uint8Array)[];

/** Sends commands that were written at once, and promises a reply to each. */
export type Execute = (commands: Command[], signal: AbortSignal) => Promise<unknown>[];

/** A transport of single commands: their bytes taken apart, and replies put together again, in the order of sending. */
export function commandTransport(execute: Execute, about: Pick<Transport, "name" | "secure">): Transport {
  return {
    ...about,
    carrier: "commands",
    async connect(_address, handler) {
      const stop = new AbortController();
      let last: Promise<void> = Promise.resolve();
      return {
        write(bytes) {
          const commands = readCommands(bytes);
          execute(commands, stop.signal).forEach((outcome, index) => {
            const reply = replyOf(outcome, commands[index] ?? []);
            last = Promise.all([reply, last]).then(
              ([encoded]) => {
                if (!stop.signal.aborted) handler.data(encoded);
              },
              (error: unknown) => {
                // Whoever waits behind it fails too, for replies are told apart by their order.
                if (!stop.signal.aborted) handler.close(error);
                stop.abort();
              },
            );
          });
        },
        close: () => stop.abort(),
      };
    },
  };
}
