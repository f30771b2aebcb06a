// A TCP proxy in front of a redis-server that damages the way back, byte by byte and frame by frame.
import { connect, createServer } from "node:net";
import { frameSplitter } from "./frames.js";

/**
 * Listens on a free loopback port and forwards to `target` (net.connect options). The knobs may be turned at any time:
 *  chunk     replies go out in writes of at most that many bytes
 *  cutAfter  every connection is reset after that many reply bytes
 *  delay     replies go out that many ms after they came
 *  requestDelay  commands reach the server that many ms later
 *  hold      true: replies are kept back until it is false again
 *  deaf      true: nothing goes either way, as on a dead network
 *  onFrame   (frame, index) => frames to send in its place; index counts the replies of one connection from 0
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
  let frames = 0;
  let pumping = false;

  const link = {
    pending: () => queue.length,
    send(bytes) {
      queue = Buffer.concat([queue, bytes]);
      link.flush();
    },
    flush() {
      if (pumping) return;
      pumping = true;
      pump();
    },
    end() {
      near.destroy();
      far.destroy();
    },
  };

  function pump() {
    if (near.destroyed || proxy.hold || proxy.deaf || queue.length === 0) {
      pumping = false;
      return;
    }
    const size = Math.min(queue.length, proxy.chunk, proxy.cutAfter - sent);
    if (size > 0) {
      near.write(queue.subarray(0, size));
      queue = queue.subarray(size);
      sent += size;
      proxy.replyBytes += size;
    }
    if (sent >= proxy.cutAfter) {
      pumping = false;
      // A FIN behind the bytes, not a reset: the bytes before the cut must arrive.
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
  near.setNoDelay(true);
  near.on("data", (bytes) => {
    if (proxy.deaf) return;
    if (proxy.requestDelay > 0) setTimeout(() => far.write(bytes), proxy.requestDelay);
    else far.write(bytes);
  });
  far.on("data", (bytes) => {
    if (proxy.deaf) return;
    if (proxy.delay > 0) setTimeout(splitter, proxy.delay, bytes);
    else splitter(bytes);
  });
  for (const socket of [near, far]) {
    socket.on("error", () => {});
    socket.on("close", () => link.end());
  }
  return link;
}
