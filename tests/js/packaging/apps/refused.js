// Prints what becomes of a client where something is missing: { made, name, code, message }, of createClient or of the first lock.
import { createClient } from "redlatch";

async function attempt() {
  let made = false;
  try {
    const client = createClient(process.argv.at(-1));
    made = true;
    await client.acquire("k");
  } catch ({ name, code, message }) {
    return { made, name, code, message };
  }
}

attempt().then((result) => console.log(JSON.stringify(result)));
