import type { CoreMemory } from "./memory.js";
import type { Core } from "./redlatch_core.js";
import { CODE, HEAD_LENGTH, RECORD_LENGTH, VOTE } from "./wire.js";

/** An error as records describe it. */
export interface ErrorRecord {
  /** As in CODE. */
  readonly code: number;
  /** The index of the server, or -1. */
  readonly node: number;
  /** As in CAUSE. */
  readonly cause: number;
  /** The connection that the cause names. */
  readonly connection: number;
  readonly attempts: number;
  /** The first word of a server's error reply; empty for other codes. */
  readonly prefix: string;
  readonly message: string;
  /** One per server, if there are several. */
  readonly votes: readonly VoteRecord[];
  /** The error behind this one, if there is one. */
  readonly reason: ErrorRecord | undefined;
}

/** A server's vote. */
export interface VoteRecord {
  readonly node: number;
  /** As in VOTE. */
  readonly outcome: number;
  /** Why it failed, if it did. */
  readonly error: ErrorRecord | undefined;
}

/** Polls a core, and reads what that returned, one record after the other. */
export class Records {
  readonly #core: Core;
  readonly #memory: CoreMemory;
  /** The monotonic clock at the last poll. */
  mono = 0;
  /** ms from then until the core's `timeout` must be called, or Infinity. */
  delay = Number.POSITIVE_INFINITY;
  /** How much was owed to the application then (rule 18). */
  owed = 0;
  /** Whether a server had so much to do then that calls that come one by one should be drained together. */
  backlog = false;
  /** The places of the current record, and of the end, among the numbers of the memory. */
  #at = 0;
  #end = 0;

  constructor(core: Core, memory: CoreMemory) {
    this.#core = core;
    this.#memory = memory;
  }

  /** Steps to the first record of everything that follows from past inputs. */
  poll(mono: number, wall: number): void {
    this.#at = this.#core.poll(mono, wall) / 8;
    const [count, delay, owed, backlog] = [this.number(0), this.number(1), this.number(2), this.number(3)];
    this.#end = this.#at + count;
    this.#at += HEAD_LENGTH;
    this.mono = mono;
    this.delay = delay;
    this.owed = owed;
    this.backlog = backlog === 1;
  }

  /** Steps to the first record of what is better sent at once; there may be none. The records of the last poll are gone. */
  pollEarly(): void {
    this.#at = this.#core.early() / 8;
    if (this.#at === 0) {
      this.#end = 0;
      return;
    }
    this.#end = this.#at + this.number(0);
    this.#at += HEAD_LENGTH;
  }

  /** Whether there is a current record. */
  get more(): boolean {
    return this.#at < this.#end;
  }

  /** Steps to the next record. */
  next(): void {
    this.#at += RECORD_LENGTH;
  }

  /** The current record's kind. */
  get kind(): number {
    return this.number(0);
  }

  /** The current record's number in that slot; slot 0 is the kind. */
  number(slot: number): number {
    return this.#memory.numbers[this.#at + slot] ?? 0;
  }

  /** A copy of the bytes whose address and number are in that slot and the next one. */
  bytes(slot: number): Uint8Array {
    return this.#memory.copy(this.number(slot), this.number(slot + 1));
  }

  /**
   * The current record's error. Must be read once and in order: it takes its strings from the core, and steps to the last of
   * its votes and reasons.
   */
  error(): ErrorRecord {
    const [code, node, cause, connection] = [this.number(2), this.number(3), this.number(4), this.number(5)];
    const [attempts, count, follows] = [this.number(6), this.number(7), this.number(8)];
    const strings = this.#strings(code);
    const votes = Array.from({ length: count }, () => this.#vote());
    const reason = this.reason(follows);
    return { code, node, cause, connection, attempts, ...strings, votes, reason };
  }

  /** Steps to the record of a reason and reads it, if the current record says by `follows` that there is one. */
  reason(follows: number): ErrorRecord | undefined {
    if (follows !== 1) return undefined;
    this.next();
    return this.error();
  }

  #vote(): VoteRecord {
    this.next();
    const [node, outcome] = [this.number(1), this.number(2)];
    if (outcome !== VOTE.failed) return { node, outcome, error: undefined };
    const [code, cause, connection] = [this.number(3), this.number(4), this.number(5)];
    const strings = this.#strings(code);
    const error = { code, node, cause, connection, attempts: 0, ...strings, votes: [], reason: undefined };
    return { node, outcome, error };
  }

  /** The next string from the core, in the order of the records. */
  string(): string {
    return this.#core.detail();
  }

  #strings(code: number): Pick<ErrorRecord, "prefix" | "message"> {
    const prefix = code === CODE.server ? this.string() : "";
    return { prefix, message: this.string() };
  }

  /** The grant that begins in that slot. */
  grant(slot: number): Grant {
    const numbers = this.#memory.numbers;
    const at = this.#at + slot;
    // A literal: it is made for every lock.
    return [
      numbers[at] ?? 0,
      numbers[at + 1] ?? 0,
      numbers[at + 2] ?? 0,
      numbers[at + 3] ?? 0,
      numbers[at + 4] ?? 0,
      numbers[at + 5] ?? 0,
      numbers[at + 6] ?? 0,
    ];
  }
}

/** The fence (high, low) and the token (five u32) of a lock, as numbers. */
export type Grant = readonly number[];

/** 64 bits from two halves; `null` when the core knows no fence. */
export function fenceOf([high = 0, low = 0]: Grant): bigint | null {
  return (BigInt(high) << 32n) | BigInt(low) || null;
}

/** 160 bits in lower-case hex. */
export function tokenOf(grant: Grant): string {
  let token = "";
  for (const word of grant.slice(2)) token += word.toString(16).padStart(8, "0");
  return token;
}
