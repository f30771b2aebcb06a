import { textOf } from "../errors/text.js";
import type { Transport } from "../types/types.js";
import { errorReply, secretsOf, withoutSecrets } from "./client-errors.js";
import type { Open } from "./command.js";
import { encodeError, encodeReply, readCommands } from "./resp.js";

/** What is known of a transport of single commands. */
export interface About extends Pick<Transport, "name" | "secure"> {
  /** Besides the commands' arguments, what no error must show. */
  readonly secret?: string;
}

/** Characters of a client's error that are kept. */
const LONGEST = 500;

/** A transport of single commands: their bytes taken apart, and replies put together again, in the order of sending. */
export function commandTransport(open: Open, { secret, ...about }: About): Transport {
  return {
    ...about,
    carrier: "commands",
    async connect(_address, handler) {
      const stop = new AbortController();
      const execute = open(stop.signal);
      let last: Promise<void> = Promise.resolve();
      return {
        write(bytes) {
          const commands = readCommands(bytes);
          execute(commands).forEach((outcome, index) => {
            const secrets = () => [...secretsOf(commands[index] ?? []), ...(secret ? [secret] : [])];
            const reply = replyOf(outcome, secrets);
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

/**
 * The bytes of what became of a command. Rejects when it is unknown what became of it: then the error is a new one, for
 * clients' errors may carry the command's arguments, which are secret.
 */
async function replyOf(outcome: Promise<unknown>, secrets: () => string[]): Promise<Uint8Array> {
  let failure: unknown;
  try {
    const value = await outcome;
    if (!(value instanceof Error)) return encodeReply(value);
    failure = value;
  } catch (error) {
    failure = error;
  }
  // Upstash's client repeats the whole command.
  const message = textOf(failure).split(", command was")[0] ?? "";
  const line = errorReply(message);
  if (line === undefined) throw new Error(withoutSecrets(message, secrets()).slice(0, LONGEST));
  // The prefix stays, whatever the keys are called: it decides what is done about the error.
  const end = line.indexOf(" ");
  return encodeError(line.slice(0, end) + withoutSecrets(line.slice(end), secrets()).slice(0, LONGEST));
}
