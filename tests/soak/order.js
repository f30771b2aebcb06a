// An operator's commands, past all proxies.

/** Sends `command`; resolves with undefined where the server is dead, or ended the connection. */
export async function order({ redis }, ...command) {
  try {
    return await redis.send(...command);
  } catch (error) {
    if (!["ECONNREFUSED", "ECONNRESET", "EPIPE"].includes(error.code) && !/is closed$/.test(error.message))
      throw error;
    return undefined;
  }
}
