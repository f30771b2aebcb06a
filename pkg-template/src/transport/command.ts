/** A command, name first. Arguments that are not UTF-8 come as bytes. */
export type Command = (string | Uint8Array)[];

/** Sends commands that were written at once, and promises a reply to each. */
export type Execute = (commands: Command[]) => Promise<unknown>[];

/** Begins a session, which is over when `signal` aborts: nothing is to be sent after that. */
export type Open = (signal: AbortSignal) => Execute;
