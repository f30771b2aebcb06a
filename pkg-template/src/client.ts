import { requireWebAssembly } from "./core/compiling.js";
import type { CoreLoader } from "./core/loading.js";
import { Driver } from "./driver/driver.js";
import { ClosedError, LockTimeoutError } from "./errors/errors.js";
import { parseClientOptions, parseCloseOptions, type Settings } from "./options/client.js";
import { parseAdoption, parseRequest, type Request } from "./options/request.js";
import type { ClientSnapshot } from "./types/observe.js";
import type {
  AcquireOptions,
  ClientOptions,
  Lock,
  LockClient,
  LockHandle,
  Transport,
} from "./types/types.js";

type Key = string | readonly string[];
type Body<T> = (lock: Lock) => T | Promise<T>;

/** Implements every entry's createClient: the entry supplies the wasm, and the runtime's sockets if it has any. */
export function openClient(
  options: string | ClientOptions,
  load: CoreLoader,
  sockets: Transport | undefined,
): LockClient {
  const settings = parseClientOptions(options, sockets);
  requireWebAssembly();
  return new Client(settings, new Driver(settings, load));
}

class Client implements LockClient {
  readonly #settings: Settings;
  readonly #driver: Driver;
  #closed: Promise<void> | undefined;

  constructor(settings: Settings, driver: Driver) {
    this.#settings = settings;
    this.#driver = driver;
  }

  acquire(key: Key, options?: AcquireOptions): Promise<Lock> {
    // Not an async function: that would cost three more turns of the microtask queue for each lock.
    try {
      return this.#start(parseRequest("acquire", this.#settings, key, options, false));
    } catch (error) {
      return Promise.reject(error);
    }
  }

  async tryAcquire(key: Key, options?: AcquireOptions): Promise<Lock | null> {
    const request = parseRequest("tryAcquire", this.#settings, key, options, false);
    try {
      return await this.#start({ ...request, wait: 0 });
    } catch (error) {
      if (error instanceof LockTimeoutError && error !== request.signal?.reason) return null;
      throw error;
    }
  }

  async using<T>(key: Key, ...rest: [Body<T>] | [AcquireOptions, Body<T>]): Promise<T> {
    const [options, body] = rest.length === 1 ? [undefined, rest[0]] : rest;
    if (typeof body !== "function")
      throw new TypeError("using: the last argument must be a function, the body");
    const lock = await this.#start(parseRequest("using", this.#settings, key, options, true));
    try {
      return await body(lock);
    } finally {
      // It never rejects, so the body's outcome stands.
      await lock.release();
    }
  }

  async adopt(handle: LockHandle, options?: AcquireOptions): Promise<Lock> {
    return this.#start(parseAdoption(this.#settings, handle, options));
  }

  inspect(): ClientSnapshot {
    return this.#driver.inspect();
  }

  async close(options?: { timeout?: number }): Promise<void> {
    const timeout = parseCloseOptions(options);
    this.#closed ??= this.#driver.close(timeout);
    return this.#closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** Throws when the request is aborted, the client is closed, or the server's URL is not set. */
  #start(request: Request): Promise<Lock> {
    if (request.signal?.aborted) throw request.signal.reason;
    if (this.#closed !== undefined) throw new ClosedError("the client is closed");
    if (this.#settings.missing !== undefined) throw new TypeError(this.#settings.missing);
    return this.#driver.acquire(request);
  }
}
