// A TCP proxy in front of a redis-server that damages the way back, byte by byte and frame by frame.
import { connect, createServer } from "node:net";
import { frameSplitter } from "./frames.js";

/**
 * Listens on a free loopback port and forwards to `target` (net.connect options). The knobs may be turned at any time:
 *  chunk     replies go out in writes of at most that many bytes
 *  cutAfter  every connection is reset after that many reply bytes
 *  delay     replies go out that many ms after they came
 *  requestDelay  commands reach the server that many ms later, even if the client has hung up by then
 *  hold      true: replies are kept back until it is false again
 *  deaf      true: nothing goes either way, as on a dead network; "requests" or "replies": nothing goes that way
 *  onFrame   (frame, index) => frames to send in its place; index counts the replies of one connection from 0
 *  tap       (stage, bytes, connection) hears of all that passes: "asked" by the client, "delivered" to the server,
 *            "answered" by it, "told" to the client; connections count from 1
 */
export async function startProxy(scope, target) {
  const links = new Set();
  let chunk = Infinity;
  let hold = false;
  const proxy = {
    cutAfter: Infinity,
    delay: 0,
    requestDelay: 0,
    deaf: false,
    onFrame: null,
    tap: null,
    connections: 0,
    replyBytes: 0,
    get chunk() {
      return chunk;
    },
    set chunk(bytes) {
      chunk = bytes;
    },
    get hold() {
      return hold;
    },
    set hold(value) {
      hold = value;
      if (!hold) for (const link of links) link.flush();
    },
    /** Replies held back at the moment, in bytes. */
    get held() {
      return [...links].reduce((sum, link) => sum + link.pending(), 0);
    },
    /** Puts bytes that nobody asked for into every open connection. */
    inject(bytes) {
      for (const link of links) link.send(Buffer.from(bytes));
    },
    cut() {
      for (const link of links) link.end();
    },
    /** Forgets the open connections without a word, as a firewall does: nothing goes either way on them any more. */
    forget() {
      for (const link of links) link.forget();
    },
    /** Ends the open connections after that many more reply bytes. */
    cutIn(bytes) {
      for (const link of links) link.cutIn(bytes);
    },
  };

  const server = createServer((near) => {
    proxy.connections += 1;
    const link = openLink(proxy, near, connect(target));
    links.add(link);
    near.once("close", () => links.delete(link));
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  proxy.port = server.address().port;
  proxy.url = `redis://127.0.0.1:${proxy.port}`;
  scope.after(
    () =>
      new Promise((resolve) => {
        proxy.cut();
        server.close(resolve);
      }),
  );
  return proxy;
}

function openLink(proxy, near, far) {
  let queue = Buffer.alloc(0);
  let sent = 0;
  let limit = Infinity;
  let frames = 0;
  let pumping = false;
  let forgotten = false;
  const number = proxy.connections;
  const tap = (stage, bytes) => proxy.tap?.(stage, bytes, number);

  const link = {
    pending: () => queue.length,
    cutIn(bytes) {
      limit = sent + bytes;
      link.flush();
    },
    send(bytes) {
      queue = Buffer.concat([queue, bytes]);
      link.flush();
    },
    flush() {
      if (pumping) return;
      pumping = true;
      pump();
    },
    forget() {
      forgotten = true;
    },
    end() {
      near.destroy();
      far.destroy();
    },
  };

  const deafTo = (way) => forgotten || proxy.deaf === true || proxy.deaf === way;

  function pump() {
    const end = Math.min(proxy.cutAfter, limit);
    if (near.destroyed || proxy.hold || deafTo("replies") || (queue.length === 0 && sent < end)) {
      pumping = false;
      return;
    }
    const size = Math.min(queue.length, proxy.chunk, end - sent);
    if (size > 0) {
      const bytes = queue.subarray(0, size);
      near.write(bytes);
      tap("told", bytes);
      queue = queue.subarray(size);
      sent += size;
      proxy.replyBytes += size;
    }
    if (sent >= end) {
      pumping = false;
      // A FIN after the bytes, not a reset: the bytes before the cut must arrive.
      near.end();
      far.destroy();
      return;
    }
    setImmediate(pump);
  }

  const splitter = frameSplitter((frame) => {
    const replaced = proxy.onFrame?.(frame, frames) ?? [frame];
    frames += 1;
    for (const bytes of replaced) link.send(bytes);
  });
  const requests = delayLine((bytes) => {
    far.write(bytes);
    tap("delivered", bytes);
  });
  const replies = delayLine(splitter);
  near.setNoDelay(true);
  near.on("data", (bytes) => {
    tap("asked", bytes);
    if (!deafTo("requests")) requests.push(bytes, proxy.requestDelay);
  });
  far.on("data", (bytes) => {
    tap("answered", bytes);
    if (!deafTo("replies")) replies.push(bytes, proxy.delay);
  });
  for (const socket of [near, far]) socket.on("error", () => {});
  near.on("close", () => requests.end(() => far.destroy()));
  far.on("close", () => near.destroy());
  return link;
}

/** Hands bytes to `deliver` later, never out of order: a shorter delay does not overtake a longer one. */
function delayLine(deliver) {
  const queue = [];
  let last = 0;
  const run = () => {
    while (queue.length > 0 && queue[0].due <= performance.now()) queue.shift().act();
    if (queue.length > 0) setTimeout(run, queue[0].due - performance.now());
  };
  const add = (act, delay) => {
    const now = performance.now();
    if (queue.length === 0 && delay <= 0) return act();
    last = Math.max(last, now + delay);
    queue.push({ due: last, act });
    if (queue.length === 1) setTimeout(run, delay);
  };
  return {
    push: (bytes, delay) => add(() => deliver(bytes), delay),
    /** Calls `done` when all has been delivered. */
    end: (done) => add(done, 0),
  };
}
