/** Codes of certificates whose authority is unknown. */
export const UNKNOWN_AUTHORITY = new Set([
  "DEPTH_ZERO_SELF_SIGNED_CERT",
  "SELF_SIGNED_CERT_IN_CHAIN",
  "UNABLE_TO_GET_ISSUER_CERT",
  "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
  "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
]);
/** The code of a certificate for another name. */
export const OTHER_NAME = "ERR_TLS_CERT_ALTNAME_INVALID";

/** Deno's names, and Node.js's code, of errors about a missing permission of the runtime. */
const NOT_PERMITTED = new Set(["NotCapable", "PermissionDenied", "ERR_ACCESS_DENIED"]);

/** What prevents every connection until somebody changes the set-up; undefined if the error may be transient. */
export function obstacleOf(error: unknown): Obstacle {
  try {
    return findObstacle(error, 0);
  } catch {
    // A foreign error whose properties throw.
    return undefined;
  }
}

type Obstacle = "permission" | "certificate" | undefined;

function findObstacle(error: unknown, depth: number): Obstacle {
  const { code, name, errors, cause } = (error ?? {}) as Partial<Record<string, unknown>>;
  if (NOT_PERMITTED.has(String(name)) || NOT_PERMITTED.has(String(code))) return "permission";
  if (UNKNOWN_AUTHORITY.has(String(code)) || code === OTHER_NAME) return "certificate";
  // A cause may lead back to its error.
  if (depth > 3) return undefined;
  if (Array.isArray(errors)) {
    const [first, ...others] = errors.map((each) => findObstacle(each, depth + 1));
    return others.every((other) => other === first) ? first : undefined;
  }
  return cause === undefined ? undefined : findObstacle(cause, depth + 1);
}
