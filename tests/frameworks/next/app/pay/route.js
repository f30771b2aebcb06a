// A route handler in Node.js.
import { LockError, LockTimeoutError } from "redlatch";
import { locks } from "../../locks.js";

let inside = 0;

export async function POST(request) {
  const { searchParams } = new URL(request.url);
  try {
    const paid = await locks.using(
      "order:next",
      { wait: Number(searchParams.get("wait")) },
      async ({ fence }) => {
        inside += 1;
        const alone = inside === 1;
        await new Promise((resolve) => setTimeout(resolve, 50));
        inside -= 1;
        return { fence: String(fence), alone };
      },
    );
    return Response.json(paid);
  } catch (error) {
    const known = error instanceof LockError;
    const status = error instanceof LockTimeoutError ? 409 : 500;
    return Response.json({ known, name: error.name, message: error.message }, { status });
  }
}
