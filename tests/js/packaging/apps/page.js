// A page, or a worker whose bundler has not been told that it is one; there is no server.
import { createClient, InternalError } from "redlatch";

const transport = { connect: () => Promise.reject(new Error("there is no server")) };

export async function attempt() {
  const { name, code, message, cause } = await createClient({ transport, wait: 0 })
    .acquire("k")
    .catch((error) => error);
  return { name, code, message, cause: String(cause), internal: name === InternalError.prototype.name };
}

export default {
  fetch: async () => Response.json(await attempt()),
};
