//! Connections: the bytes in flight, in order, in both directions.

use std::collections::VecDeque;

use redlatch::{ConnectionId, memory::SessionId};

/// A connection of a client to a server.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Link {
    pub client: usize,
    pub server: usize,
    pub connection: ConnectionId,
    pub session: SessionId,
    pub state: LinkState,
    pub up: VecDeque<Vec<u8>>,
    pub down: VecDeque<Vec<u8>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LinkState {
    Dialing,
    Open,
    /// The client has left; the bytes that it sent are still in flight.
    Abandoned,
}

impl Link {
    /// Whether nothing can happen on it any more.
    pub fn is_over(&self) -> bool {
        self.state == LinkState::Abandoned && self.up.is_empty()
    }
}
