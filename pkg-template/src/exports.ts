/** What every entry exports beside createClient and ready. */
export * from "./errors.js";
export type * from "./observation.js";
export { fromCommand } from "./transport/from-command.js";
export { fromRest, type RestOptions } from "./transport/rest.js";
export { fromWebSocket, type WebSocketOptions } from "./transport/websocket.js";
export type * from "./types.js";
