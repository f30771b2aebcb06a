/** The exports of every entry beside createClient and ready. */
export type { ErrorData } from "../errors/data.js";
export * from "../errors/errors.js";
export { fromCommand } from "../transport/from-command.js";
export { fromRest, type RestOptions } from "../transport/rest.js";
export { fromWebSocket, type WebSocketOptions } from "../transport/websocket.js";
export type * from "../types/cluster.js";
export type * from "../types/observe.js";
export type * from "../types/sentinel.js";
export type * from "../types/transport.js";
export type * from "../types/types.js";
