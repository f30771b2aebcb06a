import type { Core } from "./redlatch_core.js";
import { RECORD_LENGTH } from "./wire.js";

/** An error as a record describes it. */
export interface ErrorRecord {
  /** As in CODE. */
  readonly code: number;
  /** The index of the server, or -1. */
  readonly node: number;
  readonly attempts: number;
  readonly details: readonly string[];
}

/** Reads what `poll` returned, one record after the other. */
export class Records {
  readonly #core: Core;
  readonly #numbers: Float64Array;
  /** ms until the core's `timeout` must be called, or Infinity. */
  readonly delay: number;
  #at = 1 - RECORD_LENGTH;

  constructor(core: Core, mono: number, wall: number) {
    this.#core = core;
    this.#numbers = core.poll(mono, wall);
    this.delay = this.#numbers[0] ?? Number.POSITIVE_INFINITY;
  }

  get empty(): boolean {
    return this.#numbers.length <= 1;
  }

  /** Steps to the next record; false after the last. */
  next(): boolean {
    this.#at += RECORD_LENGTH;
    return this.#at < this.#numbers.length;
  }

  /** Goes back before the first record. */
  rewind(): void {
    this.#at = 1 - RECORD_LENGTH;
  }

  /** The current record's number in that slot; slot 0 is the kind. */
  number(slot: number): number {
    return this.#numbers[this.#at + slot] ?? 0;
  }

  /** The error that begins in that slot. Must be read once and in order: it takes its details from the core. */
  error(slot: number, attempts: number, count: number): ErrorRecord {
    const details = Array.from({ length: count }, () => this.#core.detail());
    return { code: this.number(slot), node: this.number(slot + 1), attempts, details };
  }

  /** The grant that begins in that slot. */
  grant(slot: number): Grant {
    const grant: number[] = [];
    for (let index = 0; index < GRANT_LENGTH; index++) grant.push(this.number(slot + index));
    return grant;
  }
}

const GRANT_LENGTH = 7;

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
