/** A short human-readable text for whatever a transport threw. */
export function reasonOf(error: unknown): string {
  return textOf(error).slice(0, 500);
}

/** Text for an error of any origin, with the underlying reason where the error's own message says little. */
export function textOf(error: unknown): string {
  if (error === undefined || error === null) return "the connection was closed";
  try {
    // Not by instanceof: test runners have one realm for each file.
    const { message, name, errors, cause } = error as Partial<AggregateError>;
    // Dialling several addresses fails with an AggregateError, whose own message is empty.
    if (message === "" && Array.isArray(errors)) return errors.map(textOf).join("; ");
    if (typeof message !== "string") return String(error);
    // The message of every network error of fetch in Node.js.
    if (message === "fetch failed" && cause) return `${message}: ${textOf(cause)}`;
    return message || String(name);
  } catch {
    return "an error that cannot be displayed";
  }
}
