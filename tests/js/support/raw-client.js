// The smallest Redis client that can check what the package did: RESP2, no retries, no reconnects.
import { randomUUID } from "node:crypto";
import { connect } from "node:net";
import { decodeFrame, encodeCommand, frameSplitter } from "./frames.js";

process.env.REDLATCH_TESTS_PASSWORD ??= randomUUID();

/** The user as whom tests inspect and change their servers, in all processes of a test. The package never logs in as it. */
export const ADMIN = { user: "tests-admin", password: process.env.REDLATCH_TESTS_PASSWORD };

/** As {@link rawClient}, to a server that a test has started, and with every right there. */
export async function adminClient(address) {
  const client = await rawClient(address);
  await client.send("AUTH", ADMIN.user, ADMIN.password);
  return client;
}

/** Dials (`net.connect` options) and returns { send(...args), sendFrame(args), pushed, close() }. */
export async function rawClient(address) {
  const socket = connect(address);
  await new Promise((resolve, reject) => {
    socket.once("connect", resolve);
    socket.once("error", reject);
  });
  socket.setNoDelay(true);
  const waiting = [];
  const pushed = [];
  let ended = null;
  const fail = (error) => {
    ended ??= error;
    for (const { reject } of waiting.splice(0)) reject(ended);
  };
  socket.on(
    "data",
    frameSplitter((frame) => {
      if (waiting.length > 0) waiting.shift().resolve(frame);
      else pushed.push(decodeFrame(frame));
    }),
  );
  socket.on("error", fail);
  socket.on("close", () => fail(new Error("the raw client's connection is closed")));

  const sendFrame = (args) =>
    new Promise((resolve, reject) => {
      if (ended) return reject(ended);
      waiting.push({ resolve, reject });
      socket.write(encodeCommand(args));
    });
  return {
    /** Sends one command; resolves with its value, rejects with an error reply. */
    async send(...args) {
      const value = decodeFrame(await sendFrame(args));
      if (value instanceof Error) throw value;
      return value;
    },
    /** Sends one command; resolves with the reply's bytes, whatever they say. */
    sendFrame,
    /** What the server sent without being asked, such as messages. */
    pushed,
    get isOpen() {
      return ended === null;
    },
    close() {
      socket.destroy();
    },
  };
}
