/** Short human text for whatever a transport threw. */
export function reasonOf(error: unknown): string {
  return textOf(error).slice(0, 500);
}

/** Human text for an error of anybody's, with the reason behind it where its own message says little. */
export function textOf(error: unknown): string {
  if (error === undefined || error === null) return "the connection was closed";
  try {
    // Of any realm: test runners have one for each file.
    const { message, name, errors, cause } = error as Partial<AggregateError>;
    // A dial of several addresses fails with an AggregateError, whose own message is empty.
    if (message === "" && Array.isArray(errors)) return errors.map(textOf).join("; ");
    if (typeof message !== "string") return String(error);
    // What fetch says, on Node.js.
    if (message === "fetch failed" && cause) return `${message}: ${textOf(cause)}`;
    return message || String(name);
  } catch {
    return "an error that cannot be shown";
  }
}
