import type { Core } from "./redlatch_core.js";
import { STRIDE } from "./wire.js";

/** A failure as the core tells it. */
export interface Failure {
  readonly code: number;
  /** Index of the node, or -1. */
  readonly node: number;
  readonly attempts: number;
  readonly details: readonly string[];
}

/** Reads what `poll` returned, one record after the other. */
export class Records {
  readonly #core: Core;
  readonly #numbers: Float64Array;
  /** ms until the core's `timeout` wants to be called, or Infinity. */
  readonly delay: number;
  #at = 1 - STRIDE;

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
    this.#at += STRIDE;
    return this.#at < this.#numbers.length;
  }

  /** Goes back before the first record. */
  rewind(): void {
    this.#at = 1 - STRIDE;
  }

  /** The current record's number in that slot; slot 0 is the kind. */
  number(slot: number): number {
    return this.#numbers[this.#at + slot] ?? 0;
  }

  /** The failure that begins in that slot. To be read once, in order: it takes the details from the core. */
  failure(slot: number, attempts: number, count: number): Failure {
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

/** The fence (high, low) and the token (five u32) of a lock, as the core tells them. */
export type Grant = readonly number[];

/** 64 bits from two halves; `null` when the core knows of none. */
export function fenceOf([high = 0, low = 0]: Grant): bigint | null {
  return (BigInt(high) << 32n) | BigInt(low) || null;
}

/** 160 bits in lower-case hex. */
export function tokenOf(grant: Grant): string {
  let token = "";
  for (const word of grant.slice(2)) token += word.toString(16).padStart(8, "0");
  return token;
}
