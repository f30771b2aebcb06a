/**
 * The request in which the client works. In workerd, I/O belongs to the request that began it: in any other request, a socket stays
 * silent and a timer never fires. Elsewhere, everything is one request.
 */
export class CurrentRequest {
  #probe: AbortSignal | undefined;

  /** Whether this is another request than that of the last call of `enter`. The first call enters. */
  get isAnother(): boolean {
    if (this.#probe === undefined) this.enter();
    try {
      // The runtime throws if the signal was made in another request.
      void this.#probe?.aborted;
      return false;
    } catch {
      return true;
    }
  }

  /** From now on the client works in this request. */
  enter(): void {
    this.#probe = new AbortController().signal;
  }
}
