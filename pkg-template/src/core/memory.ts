import type { Core } from "./redlatch_core.js";
import { encode } from "./utf8.js";

/** The least number of bytes that a room is made for. */
const SMALLEST_ROOM = 1024;
/** The most bytes of UTF-8 that one UTF-16 code unit becomes. */
const LONGEST_UNIT = 3;

/**
 * The memory that a core shares with TypeScript: names and received bytes are written into its room, numbers and bytes to
 * send are read where they are. This costs no call and no object for each of them. A memory that grows detaches the views on
 * it, which then have the length 0.
 */
export class CoreMemory {
  readonly #core: Core;
  readonly #memory: { readonly buffer: ArrayBuffer };
  #bytes = new Uint8Array(0);
  #numbers = new Float64Array(0);
  /** The address and the size of the room. */
  #room = 0;
  #size = 0;

  constructor(core: Core, memory: { readonly buffer: ArrayBuffer }) {
    this.#core = core;
    this.#memory = memory;
  }

  /** All numbers, by their address / 8. Get it again after each call of the core. */
  get numbers(): Float64Array {
    if (this.#numbers.length === 0) this.#numbers = new Float64Array(this.#memory.buffer);
    return this.#numbers;
  }

  /** A copy of the bytes at an address. */
  copy(address: number, length: number): Uint8Array {
    return this.#view().slice(address, address + length);
  }

  /** Writes bytes into the room. */
  put(bytes: Uint8Array): void {
    this.#reserve(bytes.length);
    this.#view().set(bytes, this.#room);
  }

  /** Writes keys and a token into the room, as `acquire` takes them; returns how many bytes that are. */
  putNames(keys: readonly string[], token: string | undefined): number {
    // By index: the iterator of a frozen array makes an object for each key.
    let most = spaceFor(token ?? "");
    for (let at = 0; at < keys.length; at += 1) most += spaceFor(keys[at] ?? "");
    this.#reserve(most);
    const bytes = this.#view();
    let end = this.#room;
    for (let at = 0; at < keys.length; at += 1) end = write(bytes, end, keys[at] ?? "");
    if (token !== undefined) end = write(bytes, end, token);
    return end - this.#room;
  }

  #view(): Uint8Array {
    if (this.#bytes.length === 0) this.#bytes = new Uint8Array(this.#memory.buffer);
    return this.#bytes;
  }

  #reserve(length: number): void {
    if (length <= this.#size) return;
    this.#size = Math.max(length, 2 * this.#size, SMALLEST_ROOM);
    this.#room = this.#core.room(this.#size);
  }
}

/** The most bytes that `write` writes for a text. */
function spaceFor(text: string): number {
  return 4 + LONGEST_UNIT * text.length;
}

/** Writes a text in UTF-8 after its length in bytes; returns where it ends. */
function write(bytes: Uint8Array, at: number, text: string): number {
  const start = at + 4;
  let length = 0;
  for (; length < text.length; length += 1) {
    const unit = text.charCodeAt(length);
    if (unit > 0x7f) break;
    bytes[start + length] = unit;
  }
  if (length < text.length) {
    const encoded = encode(text);
    bytes.set(encoded, start);
    length = encoded.length;
  }
  for (let byte = 0; byte < 4; byte += 1) bytes[at + byte] = length >>> (8 * byte);
  return start + length;
}
