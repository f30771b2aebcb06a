import { textOf } from "../errors/text.js";
import type { Transport } from "../types/transport.js";
import { errorReply, secretsOf, withoutSecrets } from "./client-errors.js";
import type { Command, Open } from "./command.js";
import {
  encodeAnswer,
  encodeError,
  encodeReply,
  encodeText,
  encodeUnanswered,
  readCommands,
} from "./resp.js";

/** Describes a transport of single commands. */
export interface CommandTransportInfo extends Pick<Transport, "name" | "secure" | "independent"> {
  /** A string that no error may show, besides the commands' arguments. */
  readonly secret?: string;
}

/** How many characters of a client's error are kept. */
const LONGEST = 500;

/**
 * A transport of single commands. It decodes the commands from the core's bytes, and encodes their replies: in the order of
 * sending, or with the commands' nonces if the commands are independent. So each command is encoded in the core and decoded
 * here, and its reply the other way: the price of a core whose only interface is bytes.
 */
export function commandTransport(open: Open, { secret, ...info }: CommandTransportInfo): Transport {
  return {
    ...info,
    carrier: "commands",
    async connect(_address, handler) {
      const stop = new AbortController();
      const execute = open(stop.signal);
      let last: Promise<void> = Promise.resolve();
      const tell = (bytes: Uint8Array) => {
        if (!stop.signal.aborted) handler.data(bytes);
      };
      return {
        write(bytes) {
          const commands = readCommands(bytes);
          execute(commands).forEach((outcome, index) => {
            const command = commands[index] ?? [];
            const secrets = () => [...secretsOf(command), ...(secret ? [secret] : [])];
            const reply = replyOf(outcome, secrets);
            if (info.independent) {
              const nonce = nonceOf(command);
              reply.then(
                (encoded) => tell(encodeAnswer(nonce, encoded)),
                ({ message }: Error) => tell(encodeUnanswered(nonce, message)),
              );
              return;
            }
            last = Promise.all([reply, last]).then(
              ([encoded]) => tell(encodeText(encoded)),
              (error: unknown) => {
                // The commands after it fail too, because only the order tells which command a reply answers.
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

/** What the core calls a command: the first argument after the keys of its script. */
function nonceOf(command: Command): string {
  return String(command[3 + Number(command[2])]);
}

/**
 * A command's reply as RESP. Rejects when the command's outcome is unknown, and then with a new error, because a
 * client's error may carry the command's arguments, which are secret.
 */
async function replyOf(outcome: Promise<unknown>, secrets: () => string[]): Promise<string> {
  let failure: unknown;
  try {
    const value = await outcome;
    if (!(value instanceof Error)) return encodeReply(value);
    failure = value;
  } catch (error) {
    failure = error;
  }
  // Upstash's client appends the whole command.
  const message = textOf(failure).split(", command was")[0] ?? "";
  const line = errorReply(message);
  if (line === undefined) throw new Error(withoutSecrets(message, secrets()).slice(0, LONGEST));
  // The prefix stays even if it is also a key: it decides how the error is handled.
  const end = line.indexOf(" ");
  return encodeError(line.slice(0, end) + withoutSecrets(line.slice(end), secrets()).slice(0, LONGEST));
}
