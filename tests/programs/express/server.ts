// A shop in Express, compiled to CommonJS: an order is paid once, whoever asks for it at the same time.
import express from "express";
import { createClient, LockTimeoutError } from "redlatch";

const locks = createClient({ url: process.env.REDIS_URL, ttl: 2_000 });
const app = express();
const paid = new Map<string, number>();
let inside = 0;
let overlaps = 0;

app.post("/orders/:id/payment", async (request, response) => {
  const { id } = request.params;
  const wait = Number(request.query.wait ?? 0);
  try {
    const fence = await locks.using(`order:${id}`, { wait }, async (lock) => {
      inside += 1;
      if (inside > 1) overlaps += 1;
      // Whatever a payment takes.
      await new Promise((resolve) => setTimeout(resolve, 50));
      paid.set(id, (paid.get(id) ?? 0) + 1);
      inside -= 1;
      return String(lock.fence);
    });
    response.json({ fence, paid: paid.get(id), overlaps });
  } catch (error) {
    if (!(error instanceof LockTimeoutError)) throw error;
    response.status(409).json({ code: error.code });
  }
});

const server = app.listen(0, "127.0.0.1", () => {
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  console.log(`http://127.0.0.1:${address.port}`);
});

process.once("SIGTERM", async () => {
  await new Promise((resolve) => server.close(resolve));
  await locks.close();
});
