import { createClient } from "redlatch";

// Made when the module is loaded, which `next build` does without the environment.
export const locks = createClient({ url: process.env.REDIS_URL, ttl: 2_000 });
