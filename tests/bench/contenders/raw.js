// Limits: handwritten locks, without retries, events and error classes. They neither wait nor vote.
import { createHash } from "node:crypto";
import { once } from "node:events";
import { connect } from "node:net";
import { encodeCommand } from "../../js/support/frames.js";
import { connectIoredis } from "./ioredis.js";

export const TAKE = "return redis.call('set', KEYS[1], ARGV[1], 'PX', ARGV[2], 'NX')";
export const FREE =
  "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) end return 0";

/** No library on ioredis can be faster. */
export async function openIoredisEvalsha(options) {
  const { connections, close } = await connectIoredis(options);
  const [redis] = connections;
  const [take, free] = await Promise.all([redis.script("LOAD", TAKE), redis.script("LOAD", FREE)]);
  let count = 0;
  return {
    async take(key) {
      count += 1;
      const token = `token-${count}`;
      if ((await redis.evalsha(take, 1, key, token, options.lease)) !== "OK") throw new Error("not taken");
      return async () => {
        if ((await redis.evalsha(free, 1, key, token)) !== 1) throw new Error("not released");
      };
    },
    close,
  };
}

/** No client in JavaScript can be faster: each command is encoded once, and only the first byte of a reply is read. */
export async function openBareSocket({ ports: [port], lease }) {
  const socket = connect({ host: "127.0.0.1", port, noDelay: true });
  await once(socket, "connect");
  const waiting = [];
  socket.on("data", (chunk) => {
    // Each reply is one line: +OK, :1, $-1 or an error.
    let start = 0;
    for (;;) {
      const end = chunk.indexOf(10, start);
      if (end === -1) break;
      waiting.shift()(chunk[start]);
      start = end + 1;
    }
  });

  let batch = [];
  const flush = () => {
    socket.write(batch.length === 1 ? batch[0] : Buffer.concat(batch));
    batch = [];
  };
  const send = (bytes, expected) =>
    new Promise((resolve, reject) => {
      waiting.push((first) =>
        first === expected.charCodeAt(0) ? resolve() : reject(new Error("another reply")),
      );
      if (batch.push(bytes) === 1) queueMicrotask(flush);
    });

  for (const script of [TAKE, FREE]) await loadScript(send, script);
  const commands = new Map();
  const commandsOf = (key) => {
    if (!commands.has(key)) {
      commands.set(key, {
        take: encodeCommand(["EVALSHA", sha1(TAKE), "1", key, "token", String(lease)]),
        free: encodeCommand(["EVALSHA", sha1(FREE), "1", key, "token"]),
      });
    }
    return commands.get(key);
  };
  return {
    async take(key) {
      const { take, free } = commandsOf(key);
      await send(take, "+");
      return () => send(free, ":");
    },
    close: () => socket.end(),
  };
}

/** The reply to EVAL is one line, unlike that to SCRIPT LOAD. */
async function loadScript(send, script) {
  await send(
    encodeCommand(["EVAL", script, "1", "bench:load", "token", "1000"]),
    script === TAKE ? "+" : ":",
  );
}

export const sha1 = (text) => createHash("sha1").update(text).digest("hex");
