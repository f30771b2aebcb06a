import { requireWebAssembly } from "./core/compiling.js";
import type { CoreLoader } from "./core/loading.js";
import { Driver } from "./driver/driver.js";
import { type CallSite, callSite, locate, NOWHERE } from "./errors/call-site.js";
import { ClosedError, LockTimeoutError } from "./errors/errors.js";
import type { HeldLock } from "./lock/held-lock.js";
import { showAs } from "./lock/shown.js";
import { parseClientOptions, parseCloseOptions, type Settings } from "./options/client.js";
import { parseAdoption, parseRequest, type Request } from "./options/request.js";
import { check } from "./options/validate.js";
import type { AfterTurn } from "./transport/turn.js";
import type { ClientSnapshot, LockEvent } from "./types/observe.js";
import type { Transport } from "./types/transport.js";
import type { AcquireOptions, ClientOptions, Lock, LockClient, LockHandle } from "./types/types.js";

type Key = string | readonly string[];
type Body<T> = (lock: Lock) => T | Promise<T>;

/** Implements every entry's createClient: the entry supplies the wasm, and the runtime's sockets and end of turn if it has any. */
export function openClient(
  options: string | ClientOptions | undefined,
  load: CoreLoader,
  sockets: Transport | undefined,
  afterTurn?: AfterTurn,
): LockClient {
  const settings = parseClientOptions(options, sockets);
  requireWebAssembly();
  return new Client(settings, new Driver(settings, load, afterTurn));
}

/** The defaults of a try, and of `using`, where they are not those of the client. */
const TRY = { wait: 0 };
const RENEWED = { renew: true };

class Client implements LockClient {
  readonly #settings: Settings;
  readonly #driver: Driver;
  #closed: Promise<void> | undefined;

  static {
    showAs(Client, "LockClient", (client) => client.#shown());
  }

  constructor(settings: Settings, driver: Driver) {
    this.#settings = settings;
    this.#driver = driver;
  }

  acquire(key: Key, options?: AcquireOptions): Promise<Lock> {
    // Not an async function: that would cost three more turns of the microtask queue for each lock.
    try {
      const request = parseRequest("acquire", this.#settings, key, options);
      const site = callSite(Client.prototype.acquire, this.#driver.isBusy);
      return this.#start(request, Client.prototype.acquire, site);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  async tryAcquire(key: Key, options?: AcquireOptions): Promise<Lock | null> {
    const request = parseRequest("tryAcquire", this.#settings, key, options, TRY);
    try {
      const site = callSite(Client.prototype.tryAcquire, this.#driver.isBusy);
      return await this.#start(request, Client.prototype.tryAcquire, site);
    } catch (error) {
      if (error instanceof LockTimeoutError && error !== request.signal?.reason) return null;
      throw error;
    }
  }

  async using<T>(key: Key, ...rest: [Body<T>] | [AcquireOptions, Body<T>]): Promise<T> {
    const [options, body] = rest.length === 1 ? [undefined, rest[0]] : rest;
    if (typeof body !== "function")
      throw new TypeError("using: the last argument must be a function, the body");
    const request = parseRequest("using", this.#settings, key, options, RENEWED);
    const site = callSite(Client.prototype.using, this.#driver.isBusy);
    const lock = await this.#start(request, Client.prototype.using, site);
    if (this.#closed !== undefined) {
      await lock.release();
      const { keys } = lock;
      const error = new ClosedError("the client was closed before the body began", { keys });
      throw locate(error, site === NOWHERE ? callSite(Client.prototype.using) : site);
    }
    this.#driver.enter(lock);
    const leave = () => {
      const released = lock.release();
      this.#driver.leave(lock);
      return released;
    };
    let result: T;
    try {
      result = await body(lock);
    } catch (error) {
      // It never rejects, so the body's error stands.
      await leave();
      throw error;
    }
    await leave();
    const { loss } = lock;
    // The body did its work without the lock, perhaps while another held it: its caller must not mistake that for success.
    if (loss !== undefined) throw Object.assign(loss, { result });
    return result;
  }

  async adopt(handle: LockHandle, options?: AcquireOptions): Promise<Lock> {
    const request = parseAdoption(this.#settings, handle, options);
    const site = callSite(Client.prototype.adopt, this.#driver.isBusy);
    return this.#start(request, Client.prototype.adopt, site);
  }

  observe(fn: (event: LockEvent) => void): () => void {
    return this.#driver.observe(check("observe", fn, "function"));
  }

  inspect(): ClientSnapshot {
    return this.#driver.inspect();
  }

  async close(options?: { timeout?: number | undefined }): Promise<void> {
    const timeout = parseCloseOptions(options);
    this.#closed ??= this.#driver.close(timeout);
    return this.#closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** The state as `console.log` shows it. Logging a client must not throw. */
  #shown(): object {
    try {
      return this.inspect();
    } catch (error) {
      return { failed: (error as Error).message };
    }
  }

  /** Throws when the request is aborted, the client is closed, or the server's URL is not set. */
  // biome-ignore lint/complexity/noBannedTypes: any of the verbs.
  #start(request: Request, verb: Function, site: CallSite): Promise<HeldLock> {
    const { signal, keys } = request;
    if (signal?.aborted) throw signal.reason;
    if (this.#closed !== undefined) throw locate(new ClosedError("the client is closed", { keys }), site);
    if (this.#settings.missing !== undefined) throw new TypeError(this.#settings.missing);
    return this.#driver.acquire(request, verb, site);
  }
}
