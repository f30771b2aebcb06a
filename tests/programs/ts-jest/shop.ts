import { type LockClient, LockTimeoutError } from "redlatch";

/** Sells one seat; false if somebody else is buying it. */
export async function sell(
  locks: LockClient,
  seat: string,
  buy: (fence: bigint | null) => Promise<void>,
): Promise<boolean> {
  try {
    await locks.using(`seat:${seat}`, { wait: 0 }, ({ fence }) => buy(fence));
    return true;
  } catch (error) {
    if (error instanceof LockTimeoutError) return false;
    throw error;
  }
}
