// An operator's commands, past all proxies.

/** Sends `command`; resolves with undefined where the server is dead, is starting again, or ended the connection. */
export async function order({ redis }, ...command) {
  try {
    return await redis.send(...command);
  } catch (error) {
    if (/^LOADING|is closed$/.test(error.message)) return undefined;
    if (["ECONNREFUSED", "ECONNRESET", "EPIPE"].includes(error.code)) return undefined;
    throw error;
  }
}
