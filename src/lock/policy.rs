use std::rc::Rc;

use crate::time::Duration;

/// The settings of an engine, which apply to all of its locks.
#[derive(Clone, Debug, Hash)]
pub struct Policy {
    /// The largest difference between the rates of two clocks to allow for, in millionths: 10 000, the default, is 1 %.
    /// See rule 1.
    pub drift: u32,
    /// The shortest pause between attempts: 50 ms by default, and at least 1 ms.
    pub retry_min: Duration,
    /// The longest pause between attempts of a waiter that gets no wake-ups: 250 ms by default.
    pub retry_max: Duration,
    /// How long to wait for one server, or three round trips to it if they take longer. By default a quarter of the
    /// lease, within 100 ms and 2 s, on a single server; 5 % of the lease, within 20 ms and 1 s, on several.
    pub node_timeout: Option<Duration>,
    /// How long making a connection, including the handshake, may take: 5 s by default.
    pub connect_timeout: Duration,
    /// How many replicas of a server must confirm a grant or an extension within `node_timeout` (WAIT), so that it counts: none
    /// by default. Only with [`Transport::Stream`](crate::Transport::Stream).
    pub replicas: u32,
    /// Whether a cluster publishes wake-ups on shard channels (SPUBLISH, Redis 7), which it does not send to all its servers:
    /// false by default.
    pub sharded: bool,
    /// The prefix of all keys and channels. None by default.
    pub prefix: Rc<[u8]>,
    /// The prefix of drawn tokens, for people who look at the keys on the server. None by default.
    pub label: Rc<str>,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            drift: 10_000,
            retry_min: Duration::from_millis(50),
            retry_max: Duration::from_millis(250),
            node_timeout: None,
            connect_timeout: Duration::from_millis(5000),
            replicas: 0,
            sharded: false,
            prefix: Rc::default(),
            label: "".into(),
        }
    }
}
