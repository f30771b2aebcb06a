// Many locks of one client, taken some hundreds at a time.

const AT_ONCE = 500;

/** The functions that release the locks `bench:0`, `bench:1`, ... */
export async function takeMany(take, count) {
  const releases = [];
  for (let at = 0; at < count; at += AT_ONCE) {
    const some = Array.from({ length: Math.min(AT_ONCE, count - at) }, (_, more) =>
      take(`bench:${at + more}`),
    );
    releases.push(...(await Promise.all(some)));
  }
  return releases;
}

/** Releases all of them. */
export async function releaseMany(releases) {
  for (let at = 0; at < releases.length; at += AT_ONCE) {
    await Promise.all(releases.slice(at, at + AT_ONCE).map((release) => release()));
  }
}
