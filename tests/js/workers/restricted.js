// Takes a lock in Deno with the permissions that it has, and prints them. Needs no more than the package does.
import { createClient } from "redlatch";

const client = createClient({ ...JSON.parse(Deno.args[0]), wait: 0 });
try {
  const outcome = await (await client.acquire("restricted")).release();
  const names = ["net", "read", "write", "env", "sys", "run", "ffi"];
  const granted = names.filter((name) => Deno.permissions.querySync({ name }).state === "granted");
  const only = granted.length === 1 ? `${granted[0]} and nothing else` : granted.join(", ");
  console.log(`${outcome}, with ${only}`);
} catch (error) {
  console.log(error.code, error.message);
}
await client.close();
