// A worker of BullMQ. Jobs of one account must not run at the same time, whichever workers run them.
const { Worker } = require("bullmq");
const { createClient } = require("redlatch");

const { REDIS_PORT, REDIS_URL } = process.env;
const locks = createClient(REDIS_URL);
const connection = { host: "127.0.0.1", port: Number(REDIS_PORT), maxRetriesPerRequest: null };

const work = async (job) => {
  await locks.using(
    `account:${job.data.account}`,
    { ttl: 2_000, wait: 60_000, fair: true },
    async ({ fence }) => {
      console.log(JSON.stringify({ began: job.id, account: job.data.account, fence: String(fence) }));
      await new Promise((resolve) => setTimeout(resolve, 30));
      console.log(JSON.stringify({ ended: job.id, account: job.data.account }));
    },
  );
};
const worker = new Worker("postings", work, { connection, concurrency: 5 });
worker.on("error", (error) => console.error(error.message));
worker.on("failed", (job, error) => console.log(JSON.stringify({ failed: job?.id, message: error.message })));
worker.waitUntilReady().then(() => console.log(JSON.stringify({ ready: true })));

process.once("SIGTERM", async () => {
  await worker.close();
  await locks.close();
});
