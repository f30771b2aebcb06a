//! Keys that move from one server to another.

use redis_protocol::redis_keyslot;

use super::{keyspace::Value, server::Server};
use crate::time::Instant;

/// The database of a node: it has one.
const DATABASE: u32 = 0;

/// A key on its way to another node, as MIGRATE sends it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct MovingKey {
    key: Vec<u8>,
    value: Value,
    /// The ms until it expires, by the clock of the node that it leaves; `None` for ever.
    left: Option<u64>,
}

impl Server {
    /// The keys of a slot, sorted, also those that have expired and are not deleted yet.
    #[must_use]
    pub fn keys_in_slot(&self, slot: u16) -> Vec<Vec<u8>> {
        let keys = self.database(DATABASE).into_iter().flat_map(|keyspace| keyspace.names());
        keys.filter(|key| redis_keyslot(key) == slot).map(<[u8]>::to_vec).collect()
    }

    /// Takes a key out, for [`put_key`](Self::put_key) on another server, as MIGRATE does; `None` if there is no such key.
    pub fn take_key(&mut self, key: &[u8], now: Instant) -> Option<MovingKey> {
        let millis = now.as_micros() / 1000;
        let keyspace = self.database_mut(DATABASE);
        let (value, expiry) =
            keyspace.peek(key, millis).map(|(value, expiry)| (value.clone(), expiry)).unzip();
        keyspace.remove(key, millis);
        // MIGRATE sends at least 1 ms.
        let left = expiry.flatten().map(|at| at.saturating_sub(millis).max(1));
        Some(MovingKey { key: key.to_vec(), value: value?, left })
    }

    /// Puts a key of another server in, in place of a key with that name.
    pub fn put_key(&mut self, moving: MovingKey, now: Instant) {
        let MovingKey { key, value, left } = moving;
        let expiry = left.map(|left| (now.as_micros() / 1000).saturating_add(left));
        self.database_mut(DATABASE).put(key, value, expiry);
    }

    /// Makes this server's keys those of its master now. A replica that is promoted has the keys of the last call.
    pub fn copy_keys(&mut self, master: &Self) {
        self.databases.clone_from(&master.databases);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::session::SessionId;

    const fn at(millis: u64) -> Instant {
        Instant::from_micros(millis * 1000)
    }

    fn run(server: &mut Server, command: &[u8], now: Instant) -> Vec<u8> {
        server.connect(SessionId(1));
        let words: Vec<_> = command.split(|&byte| byte == b' ').collect();
        let mut bytes = Vec::new();
        crate::resp::encode(&words, &mut bytes);
        server.receive(SessionId(1), &bytes, now);
        server.take_output(SessionId(1))
    }

    #[test]
    fn a_key_moves_with_the_rest_of_its_lease() {
        let (mut source, mut target) = (Server::new(), Server::new());
        run(&mut source, b"SET k v PX 100", at(1000));
        assert_eq!(source.keys_in_slot(redis_keyslot(b"k")), [b"k".to_vec()]);
        let moving = source.take_key(b"k", at(1040)).unwrap();
        assert_eq!(source.take_key(b"k", at(1040)), None);
        // The clock of the target is another one.
        target.put_key(moving, at(9000));
        assert_eq!(run(&mut target, b"PTTL k", at(9010)), b":50\r\n");
        assert_eq!(run(&mut target, b"GET k", at(9060)), b"$1\r\nv\r\n");
    }

    #[test]
    fn a_key_that_expires_now_gets_one_more_millisecond() {
        let mut server = Server::new();
        run(&mut server, b"SET k v PX 100", at(1000));
        let moving = server.take_key(b"k", at(1100)).unwrap();
        server.put_key(moving, at(1100));
        assert_eq!(run(&mut server, b"PTTL k", at(1100)), b":1\r\n");
        assert_eq!(server.take_key(b"k", at(1102)), None);
    }

    #[test]
    fn a_key_without_an_expiry_keeps_none() {
        let (mut source, mut replica) = (Server::new(), Server::new());
        run(&mut source, b"ZADD k 1 m", at(0));
        let moving = source.take_key(b"k", at(0)).unwrap();
        source.put_key(moving, at(0));
        replica.copy_keys(&source);
        assert_eq!(run(&mut replica, b"PTTL k", at(0)), b":-1\r\n");
    }
}
