// A client process as the breaker sees it: it can be spoken to, stopped, killed and started again.
import { closeSync, openSync, readSync } from "node:fs";
import { join } from "node:path";
import { startWorker } from "../js/support/processes.js";

/** A client's number, which is in the name of each of its lives. */
export const indexOf = (name) => Number(name.split("-")[1]);

const CLIENT = new URL("client.js", import.meta.url);

export class Contender {
  #input;
  #folder;
  #life = 0;
  #log;
  #rest = "";
  #stop;
  #chunk = Buffer.alloc(65_536);

  /** `runtime`: { name, command, args }; `input`: { lanes, options, seed, credulous } for client.js. */
  constructor(scope, { runtime, index, folder, input }) {
    this.runtime = runtime;
    this.index = index;
    this.#folder = folder;
    this.#input = input;
    scope.after(async () => {
      await this.#stop?.();
      closeSync(this.#log);
    });
  }

  /** Each of its lives has a name, and a log, of its own. */
  start() {
    this.#life += 1;
    this.name = `${this.runtime.name}-${this.index}-${this.#life}`;
    const log = join(this.#folder, `${this.name}.jsonl`);
    if (this.#log !== undefined) closeSync(this.#log);
    this.#log = openSync(log, "w+");
    this.#rest = "";
    const { command, args } = this.runtime;
    const scope = {
      after: (stop) => {
        this.#stop = stop;
      },
    };
    const input = { ...this.#input, log, seed: this.#input.seed + this.#life };
    // In a group, it has a standard input: for commands.
    this.worker = startWorker(scope, CLIENT, input, { command, args, group: true });
    this.worker.child.stdin.on("error", () => {
      // It was killed before it had read everything.
    });
    this.dead = false;
    this.#awaitEnd(this.worker);
  }

  async #awaitEnd(worker) {
    const how = await worker.exit;
    // By itself: who kills it says so before.
    if (worker === this.worker && !this.dead) this.ended = { ...how, output: worker.output.join("\n") };
  }

  tell(command, details) {
    this.worker.child.stdin.write(`${JSON.stringify({ command, ...details })}\n`);
  }

  stop() {
    this.worker.signal("SIGSTOP");
  }

  resume() {
    this.worker.signal("SIGCONT");
  }

  async kill() {
    this.dead = true;
    this.worker.signal("SIGKILL");
    await this.worker.exit;
  }

  /** What it wrote since the last time. Half a line is being written, or was its last. */
  *news() {
    for (;;) {
      const length = readSync(this.#log, this.#chunk);
      if (length === 0) return;
      const lines = (this.#rest + this.#chunk.toString("latin1", 0, length)).split("\n");
      this.#rest = lines.pop();
      for (const line of lines) yield JSON.parse(line);
    }
  }
}
