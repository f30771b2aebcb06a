/** A command, name first. Arguments that are not UTF-8 come as bytes. */
export type Command = (string | Uint8Array)[];

/** Sends commands that were written together; returns a promise of the reply to each. */
export type Execute = (commands: Command[]) => Promise<unknown>[];

/** Begins a session. It ends when `signal` aborts: nothing may be sent after that. */
export type Open = (signal: AbortSignal) => Execute;
