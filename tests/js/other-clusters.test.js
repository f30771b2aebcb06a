// Locks over the clusters of the clients that an application already has.
import { testOver } from "./support/cluster-contract.js";

await testOver(["ioredis 6", "node-redis 6", "GLIDE"]);
