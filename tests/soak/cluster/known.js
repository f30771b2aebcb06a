// When a client could know which server has a slot: read from what its connections carried.
import { frameEnd } from "../../js/support/frames.js";

/** Where an answer to CLUSTER SLOTS begins, and its ranges: the first slot, the last one, and the primary's port. */
const MAP = /\*\d+\r\n(?=\*\d\r\n:\d+\r\n:\d+\r\n\*)/g;
const RANGE = /:(\d+)\r\n:(\d+)\r\n\*[34]\r\n\$9\r\n127\.0\.0\.1\r\n:(\d+)\r\n/g;
const REQUEST = /\r\nCLUSTER\r\n\$5\r\nSLOTS\r\n/g;
/** A map that comes later than that after its request is not heard, ms: another server has been asked. */
const PATIENCE = 1_000;

/**
 * When a client of the process `client` was told first, after that election, that the slot of a lock has the server that was elected: by a
 * map, or by MOVED. Undefined if it was not. On a connection of which a reply was dropped or doubled, nothing is believed any
 * more. `slots` by name of a lock, `ports` by server.
 */
export function mapKnownAt(wire, { slots, ports }, { client, owner, lock, election }) {
  const [slot, port] = [slots.get(lock), ports[election.server]];
  const own = (stage) => wire.streams(client, stage).filter((stream) => stream.owner === owner);
  const [asked, answered] = [own("asked"), own("answered")];
  const times = own("told").flatMap((told) => {
    const isHeard = (end) =>
      told.isWhole(
        end,
        answered.find((each) => each.isOf(told)),
      );
    const requests = asked.find((each) => each.isOf(told));
    const maps = mapsIn(told, slot, port).filter((end) => isTimely(told.at(end), requests));
    const moved = [...told.text.matchAll(`MOVED ${slot} 127.0.0.1:${port}\r\n`)].map(endOf);
    return [...maps, ...moved]
      .filter((end) => told.at(end) >= election.at && isHeard(end))
      .map((end) => told.at(end));
  });
  return times.length === 0 ? undefined : Math.min(...times);
}

const endOf = (match) => match.index + match[0].length - 1;

/** The last characters of the whole maps that say so. */
function mapsIn({ text }, slot, port) {
  const bytes = Buffer.from(text, "latin1");
  const ends = [...text.matchAll(MAP)].map(({ index }) => [index, frameEnd(bytes, index)]);
  const says = ([start, end]) =>
    [...text.slice(start, end).matchAll(RANGE)].some(
      ([, from, to, primary]) => Number(from) <= slot && slot <= Number(to) && Number(primary) === port,
    );
  return ends.filter((map) => map[1] >= 0 && says(map)).map(([, end]) => end - 1);
}

function isTimely(at, requests) {
  const times = [...(requests?.text ?? "").matchAll(REQUEST)].map((match) => requests.at(endOf(match)));
  const last = times.findLast((time) => time <= at);
  return last !== undefined && at - last <= PATIENCE;
}
