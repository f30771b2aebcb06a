// A transport of single commands by itself: RESP bytes in, RESP bytes out, no core.
import { encodeCommand } from "../../support/frames.js";

const MESSAGE = /^>3\r\n\$\d+\r\n(answer|unanswered)\r\n\$\d+\r\n(.*?)\r\n(.*)$/s;

/**
 * Opens a session on `transport`: { ask(...commands), said: the replies as text, about: the nonces of what came back, failed: the
 * reasons of commands without an answer, ended: how it was closed, close() }.
 */
export async function openSession(transport) {
  const session = { said: "", about: [], failed: [], ended: undefined };
  const handler = {
    data: (bytes) => {
      const text = Buffer.from(bytes).toString("latin1");
      const [, kind, nonce, content] = MESSAGE.exec(text) ?? [undefined, "reply", undefined, text];
      session.about.push(nonce);
      if (kind === "unanswered") session.failed.push(content.replace(/^\$\d+\r\n|\r\n$/g, ""));
      else session.said += content;
    },
    close: (error) => {
      session.ended = { error };
    },
  };
  const connection = await transport.connect({}, handler, new AbortController().signal);
  session.ask = (...commands) => connection.write(new Uint8Array(Buffer.concat(commands.map(encodeCommand))));
  session.close = () => connection.close();
  return session;
}

/** A script call, as the core writes it. */
export const call = (key, token = "the-owners-token", nonce = "00000000000000ab") => [
  "EVALSHA",
  "0".repeat(40),
  "1",
  key,
  nonce,
  token,
];
