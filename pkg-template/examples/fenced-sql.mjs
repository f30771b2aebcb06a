// A job that changes a row of a SQL database under a lock, and stays correct if the lock is lost meanwhile: each statement
// carries the lock's fence, and does nothing if the row has seen a newer one.
//   node fenced-sql.mjs ACCOUNT AMOUNT [MS: how long the work takes]
// node:sqlite comes with Node.js from 22.13 on; the statements work on PostgreSQL too, with $1, $2 in place of ?1, ?2.
import { DatabaseSync } from "node:sqlite";
import { setTimeout as work } from "node:timers/promises";
import { createClient } from "redlatch";

const [account = "42", amount = "1", takes = "20"] = process.argv.slice(2);
const locks = createClient(process.env.REDIS_URL ?? "redis://127.0.0.1:6379");
const database = new DatabaseSync(process.env.DATABASE ?? "accounts.db");
database.exec(`PRAGMA busy_timeout = 5000;
  CREATE TABLE IF NOT EXISTS accounts (id TEXT PRIMARY KEY, balance INTEGER NOT NULL, fence BIGINT NOT NULL)`);

// Reading stores the fence in the row. Without that, an earlier holder could still write between our reading and our writing,
// and we would overwrite its value.
const CLAIM = database.prepare(`
  INSERT INTO accounts (id, balance, fence) VALUES (?1, 0, ?2)
  ON CONFLICT (id) DO UPDATE SET fence = excluded.fence WHERE accounts.fence <= excluded.fence
  RETURNING balance`);
const SAVE = database.prepare(`
  UPDATE accounts SET balance = ?2 WHERE id = ?1 AND fence = ?3`);

try {
  await locks.using(`account:${account}`, { ttl: 1_000, wait: 30_000 }, async ({ fence }) => {
    const row = CLAIM.get(account, fence);
    if (row === undefined) throw new Error("a newer holder has this account");
    console.log(`claimed at ${row.balance}`);
    await work(Number(takes));
    const balance = row.balance + Number(amount);
    if (SAVE.run(account, balance, fence).changes !== 1) {
      throw new Error("a newer holder has this account");
    }
    console.log(`saved ${balance}`);
  });
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
}
database.close();
await locks.close();
