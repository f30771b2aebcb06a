//! Clients whose servers tell where locks are: clusters, and sentinels. The input answers as it likes, with maps, redirects and
//! announcements that contradict each other. Nothing panics, each call leaves a bounded amount to do, nothing is dialled that
//! nobody named, and in the end everything is settled.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use arbitrary::{Result, Unstructured};
use redis_protocol::redis_keyslot;
use redlatch::{ConnectionId, Duration, Endpoint, Engine, Event, HandleId, Instant, NodeId, Policy, Request};

use super::world::{HELLO_REPLY, Output, SUBSCRIBED, Seeded, next_output, split_words};

/// The most that one call may leave to do: a cluster has at most 1 024 servers.
const MOST_OUTPUTS: usize = 5_000;
const HOSTS: [&str; 4] = ["a", "b", "10.0.0.1", "::1"];
const MASTER: &str = "m";

#[derive(Default)]
struct Connection {
    made: bool,
    /// The commands that wait for a reply.
    queue: VecDeque<Vec<Vec<u8>>>,
}

struct Client {
    engine: Engine<Seeded>,
    now: Instant,
    connections: BTreeMap<ConnectionId, Connection>,
    handles: Vec<HandleId>,
    /// The addresses that a server named, or that are seeds.
    named: BTreeSet<String>,
    /// How many servers the engine was given.
    known: u32,
}

/// A cluster, a master with sentinels, or several votes of both and of servers.
pub fn lock_routed(data: &[u8]) {
    let mut u = Unstructured::new(data);
    let Ok(mut client) = Client::begin(&mut u) else { return };
    let mut steps = 0;
    while !u.is_empty() && steps < 250 && client.play(&mut u).is_ok() {
        steps += 1;
    }
    client.end();
}

impl Client {
    fn begin(u: &mut Unstructured<'_>) -> Result<Self> {
        let policy = Policy { sharded: u.arbitrary()?, ..Policy::default() };
        let mut engine = Engine::new(policy, Seeded(u.arbitrary::<u8>()?.into()));
        let (mut named, mut known) = (BTreeSet::new(), 0);
        for voter in 0..u.int_in_range(1..=3_u32)? {
            let (kind, count) = (u.int_in_range(0..=2)?, u.int_in_range(1..=3_u32)?);
            let count = if kind == 0 { 1 } else { count };
            for _ in 0..count {
                engine.add_node(Endpoint::default());
            }
            let seeds: Vec<String> = (0..count).map(|seed| format!("a:{}", voter * 3 + seed + 1)).collect();
            match kind {
                0 => {}
                1 => assert!(engine.follow_sentinels(MASTER, count, Endpoint::default())),
                _ => {
                    assert!(engine.form_cluster(&seeds.join("\n")));
                    named.extend(seeds);
                }
            }
            known += count;
        }
        let now = Instant::default().after(Duration::from_millis(5_000));
        let (connections, handles) = (BTreeMap::new(), Vec::new());
        Ok(Self { engine, now, connections, handles, named, known })
    }

    fn play(&mut self, u: &mut Unstructured<'_>) -> Result<()> {
        match u.int_in_range(0..=9)? {
            0 => {
                let keys: &[&str] = u.choose(&[&["a"][..], &["b"], &["a", "b"], &["{t}a", "{t}b"]])?;
                let request = Request {
                    keys: keys.iter().map(|key| key.as_bytes().to_vec()).collect(),
                    token: None,
                    ttl: Duration::from_millis(*u.choose(&[100, 1_000, 30_000])?),
                    wait: Duration::from_millis(*u.choose(&[0, 500, 10_000])?),
                    renew: u.arbitrary()?,
                    max_hold: Duration::MAX,
                    fair: u.arbitrary()?,
                    adopt: None,
                };
                // Fair locks, and keys in several slots, are refused in some set-ups.
                self.handles.extend(self.engine.acquire(request, self.now));
            }
            1 => {
                if let Some(handle) = self.pick(u)? {
                    self.engine.release(handle, self.now);
                }
            }
            2 => {
                if let Some(handle) = self.pick(u)? {
                    self.engine.cancel(handle, self.now);
                }
            }
            3 => {
                self.now = self.now.after(Duration::from_millis(u.int_in_range(0..=4_000)?));
                self.engine.handle_timeout(self.now);
            }
            4 => {
                if let Some(id) = self.connection(u)? {
                    self.connections.remove(&id);
                    self.engine.handle_closed(id, "closed", self.now);
                }
            }
            _ => {
                if let Some(id) = self.connection(u)? {
                    self.serve(id, u)?;
                }
            }
        }
        self.drain();
        Ok(())
    }

    fn pick(&self, u: &mut Unstructured<'_>) -> Result<Option<HandleId>> {
        Ok(if self.handles.is_empty() { None } else { Some(*u.choose(&self.handles)?) })
    }

    fn connection(&self, u: &mut Unstructured<'_>) -> Result<Option<ConnectionId>> {
        let ids: Vec<_> = self.connections.keys().copied().collect();
        Ok(if ids.is_empty() { None } else { Some(*u.choose(&ids)?) })
    }

    /// A connection is made, or something arrives on it.
    fn serve(&mut self, id: ConnectionId, u: &mut Unstructured<'_>) -> Result<()> {
        let connection = self.connections.get_mut(&id).expect("a connection");
        if !std::mem::replace(&mut connection.made, true) {
            self.engine.handle_connected(id, self.now);
            return Ok(());
        }
        let bytes = match (u.int_in_range(0..=7)?, connection.queue.pop_front()) {
            (0, _) => announcement(&mut self.named, u)?,
            (1, _) => {
                let length = usize::from(u.arbitrary::<u8>()? % 32).min(u.len());
                u.bytes(length)?.to_vec()
            }
            (_, Some(words)) => reply(&words, &mut self.named, u)?,
            (_, None) => Vec::new(),
        };
        self.engine.handle_bytes(id, &bytes, self.now);
        Ok(())
    }

    fn drain(&mut self) {
        for outputs in 0.. {
            assert!(outputs < MOST_OUTPUTS, "there is no end of what is to be done");
            match next_output(&mut self.engine, self.now) {
                Some(Output::Connect(node, id)) => self.dialled(node, id),
                Some(Output::Close(id)) => drop(self.connections.remove(&id)),
                Some(Output::Transmit(id, bytes)) => {
                    let Some(connection) = self.connections.get_mut(&id) else { continue };
                    assert!(connection.made, "bytes for a connection that is not open");
                    connection.queue.extend(split_words(&bytes).into_iter().map(|(_, words)| words));
                }
                Some(Output::Event(Event::Released { lock, .. } | Event::Failed { lock, .. })) => {
                    self.handles.retain(|handle| *handle != lock);
                }
                Some(Output::Event(_)) => {}
                None => return,
            }
        }
    }

    fn dialled(&mut self, node: NodeId, id: ConnectionId) {
        match self.engine.address(node) {
            Some(address) => {
                assert!(self.named.contains(&address), "{address} is dialled, which nobody named")
            }
            None => assert!(node.0 < self.known, "{node:?} is dialled, which has no address"),
        }
        self.connections.insert(id, Connection::default());
    }

    /// Everybody gives up: what the engine holds, waits for and owes comes to an end.
    fn end(&mut self) {
        self.engine.close(&[], self.now);
        self.drain();
        for _ in 0..200 {
            let gone: Vec<_> = std::mem::take(&mut self.connections).into_keys().collect();
            for id in gone {
                self.engine.handle_closed(id, "closed", self.now);
                self.drain();
            }
            self.now = self.now.after(Duration::from_millis(5_000));
            for _ in 0..2 {
                self.engine.handle_timeout(self.now);
                self.drain();
            }
        }
        assert_eq!((self.engine.busy(), self.engine.owed()), (0, 0), "not everything is settled");
    }
}

/// An address that a server names from now on.
fn address(named: &mut BTreeSet<String>, u: &mut Unstructured<'_>) -> Result<(&'static str, u16)> {
    let (host, port) = (*u.choose(&HOSTS)?, u.int_in_range(1..=12)?);
    named.insert(format!("{host}:{port}"));
    Ok((host, port))
}

fn bulk(text: &str) -> String {
    format!("${}\r\n{text}\r\n", text.len())
}

/// A sentinel announces that a master was replaced.
fn announcement(named: &mut BTreeSet<String>, u: &mut Unstructured<'_>) -> Result<Vec<u8>> {
    let ((old, from), (new, to)) = (address(named, u)?, address(named, u)?);
    let name = u.choose(&[MASTER, "other"])?;
    let message = bulk(&format!("{name} {old} {from} {new} {to}"));
    Ok(format!(">3\r\n{}{}{message}", bulk("message"), bulk("+switch-master")).into_bytes())
}

/// The reply to a command: the right one, or one that sends the client elsewhere.
fn reply(words: &[Vec<u8>], named: &mut BTreeSet<String>, u: &mut Unstructured<'_>) -> Result<Vec<u8>> {
    let text = match words[0].as_slice() {
        b"HELLO" => HELLO_REPLY.to_owned(),
        b"SUBSCRIBE" => SUBSCRIBED.to_owned(),
        b"SSUBSCRIBE" => {
            let channel = bulk(&String::from_utf8_lossy(&words[1]));
            format!(">3\r\n{}{channel}:1\r\n", bulk("ssubscribe"))
        }
        b"CLUSTER" => map(named, u)?,
        b"SENTINEL" if u.ratio(1, 5)? => "_\r\n".to_owned(),
        b"SENTINEL" => {
            let (host, port) = address(named, u)?;
            format!("*2\r\n{}{}", bulk(host), bulk(&port.to_string()))
        }
        b"EVALSHA" | b"EVAL" => return script(words, named, u),
        _ => "+OK\r\n".to_owned(),
    };
    Ok(text.into_bytes())
}

fn script(words: &[Vec<u8>], named: &mut BTreeSet<String>, u: &mut Unstructured<'_>) -> Result<Vec<u8>> {
    let keys: usize = std::str::from_utf8(&words[2]).unwrap_or_default().parse().unwrap_or(0);
    let slot = redis_keyslot(&words[3]);
    Ok(match u.int_in_range(0..=6)? {
        kind @ 0..=1 => {
            let (host, port) = address(named, u)?;
            format!("-{} {slot} {host}:{port}\r\n", ["MOVED", "ASK"][kind])
        }
        2 => "-CLUSTERDOWN The cluster is down\r\n".to_owned(),
        3 => "-NOSCRIPT No matching script. Please use EVAL.\r\n".to_owned(),
        _ => {
            let (results, result) =
                (u.int_in_range(1..=3)?, u.choose(&[":1\r\n", ":77\r\n", ":0\r\n", ":-30\r\n"])?);
            let nonce = words.get(3 + keys).map(|nonce| String::from_utf8_lossy(nonce)).unwrap_or_default();
            format!("*{}\r\n{}{}", 1 + results, bulk(&nonce), result.repeat(results))
        }
    }
    .into_bytes())
}

/// A map of a few ranges. Sometimes they overlap, or leave something out.
fn map(named: &mut BTreeSet<String>, u: &mut Unstructured<'_>) -> Result<String> {
    let ranges = u.int_in_range(0..=3_u16)?;
    let mut map = format!("*{ranges}\r\n");
    for range in 0..ranges {
        let (host, port) = address(named, u)?;
        let first = range * 5_462;
        let last = if u.ratio(1, 8)? { u.int_in_range(0..=16_383)? } else { (first + 5_461).min(16_383) };
        let id = format!("{:040}", u.int_in_range(0..=5)?);
        map += &format!("*3\r\n:{first}\r\n:{last}\r\n*4\r\n{}:{port}\r\n{}%0\r\n", bulk(host), bulk(&id));
    }
    Ok(map)
}
