//! Connections: two byte streams each, with delays and faults.

use redlatch::ConnectionId;

use crate::{
    plan::{Delay, Micros, Tamper},
    rng::Rng,
};

/// A connection, by a number that is never reused. It is the number of the server's session too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LinkId(pub u64);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    Up,
    Down,
}

#[derive(Debug)]
pub struct Link {
    pub client: usize,
    pub server: usize,
    pub connection: ConnectionId,
    /// Whether the server's end is open, and the client's end.
    pub server_open: bool,
    pub client_open: bool,
    /// Whether bytes in a direction are dropped.
    pub muted: [bool; 2],
    pub tamper: Option<Tamper>,
    /// Whether it was forgotten on the way: the next bytes of the client are answered with RST.
    pub reset: bool,
    /// When the last bytes in each direction arrive: later bytes arrive later.
    last: [Micros; 2],
    pub rng: Rng,
}

impl Link {
    pub fn new(client: usize, server: usize, connection: ConnectionId, now: Micros, rng: Rng) -> Self {
        Self {
            client,
            server,
            connection,
            server_open: false,
            client_open: true,
            muted: [false; 2],
            tamper: None,
            reset: false,
            last: [now; 2],
            rng,
        }
    }

    pub const fn is_muted(&self, way: Way) -> bool {
        self.muted[way as usize]
    }

    /// When bytes that are sent now arrive.
    pub fn arrival(&mut self, way: Way, delay: Delay, distance: Micros, now: Micros) -> Micros {
        let mut span = distance + self.rng.between(delay.least, delay.most);
        if delay.tail_chance > 0 && self.rng.chance(delay.tail_chance) {
            span += self.rng.below(delay.tail);
        }
        let last = &mut self.last[way as usize];
        *last = (now + span).max(*last);
        *last
    }

    /// The chunks in which bytes arrive.
    pub fn parts(&mut self, bytes: Vec<u8>, rechunks: bool) -> Vec<Vec<u8>> {
        if !rechunks || bytes.len() < 2 {
            return vec![bytes];
        }
        let mut parts = Vec::new();
        let mut rest = bytes.as_slice();
        // Some chunks of a byte or two, then larger ones: single bytes throughout would take too much time.
        while !rest.is_empty() {
            let most = if self.rng.chance(20) { 2 } else { rest.len() };
            let (part, left) = rest.split_at(1 + self.rng.index(most.min(rest.len())));
            parts.push(part.to_vec());
            rest = left;
        }
        parts
    }
}
