// What all tests of a file share, started before the first of them.

/**
 * Resolves to what `start(scope)` makes; what is registered there ends with the file, last first. If `start` fails, it ends at once:
 * Node.js 20 ends a process whose module throws without an "exit" event, so that child processes would be left behind.
 */
export async function setUp(after, start) {
  const cleanUps = [];
  const end = async () => {
    for (const cleanUp of cleanUps.splice(0)) await cleanUp();
  };
  try {
    const made = await start({ after: (cleanUp) => cleanUps.unshift(cleanUp) });
    after(end);
    return made;
  } catch (error) {
    await end();
    throw error;
  }
}
