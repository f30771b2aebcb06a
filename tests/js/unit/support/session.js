// A transport of single commands by itself: RESP bytes in, RESP bytes out, no core.
import { encodeCommand } from "../../support/frames.js";

/** Opens a session on `transport`: { ask(...commands), said: what came back as text, ended: how it was closed, close() }. */
export async function openSession(transport) {
  const session = { said: "", ended: undefined };
  const handler = {
    data: (bytes) => {
      session.said += Buffer.from(bytes).toString("latin1");
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
export const call = (key, token = "the-owners-token") => [
  "EVALSHA",
  "0".repeat(40),
  "1",
  key,
  "00000000000000ab",
  token,
];
