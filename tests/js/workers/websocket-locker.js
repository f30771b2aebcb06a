// Takes and releases one lock by the runtime's own WebSocket, then tries a bridge that is down; says how it went.
import { input, say } from "../support/processes.js";
import { packageEntry } from "../support/redlatch.js";

const { createClient, fromWebSocket } = await import(packageEntry);
const { bridge, down } = input();

const client = createClient({ transport: fromWebSocket(bridge) });
const outcome = await (await client.acquire("by-websocket")).release();
await client.close();
const other = createClient({ transport: fromWebSocket(down) });
const error = await other.tryAcquire("by-websocket").catch((reason) => reason);
await other.close();
say({ outcome, code: error.code, message: error.message, all: `${error.stack} ${error.cause?.stack}` });
