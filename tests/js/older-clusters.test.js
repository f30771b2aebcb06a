// The same as other-clusters.test.js, over older versions of the clients.
import { testOver } from "./support/cluster-contract.js";

await testOver(["ioredis 5", "node-redis 4", "node-redis 5"]);
