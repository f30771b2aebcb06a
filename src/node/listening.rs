//! In which slots a server sends wake-ups to this client.

use super::{Node, State, subscriptions::is_sharded};
use crate::time::Instant;

impl Node {
    /// Whether the wake-ups in this slot would arrive if the connection were subscribed to its shard channel.
    pub(crate) fn is_deaf(&self, slot: u16) -> bool {
        matches!(&self.state, State::Up(connection)
            if connection.is_ready()
                && connection.wakes
                && is_sharded(&self.channel)
                && !connection.subscriptions.has(slot))
    }

    /// Subscribes to the channel in this slot. It is deaf there.
    pub(crate) fn subscribe(&mut self, slot: u16, channel: &[u8], now: Instant) {
        if let State::Up(connection) = &mut self.state {
            let connection = &mut **connection;
            connection.subscriptions.begin(slot, channel, &mut connection.pipeline, &mut connection.out, now);
        }
    }

    /// Ends the subscription to the channel in this slot, if there is one.
    pub(crate) fn unsubscribe(&mut self, slot: u16, channel: &[u8], now: Instant) {
        if let State::Up(connection) = &mut self.state {
            let connection = &mut **connection;
            connection.subscriptions.end(slot, channel, &mut connection.pipeline, &mut connection.out, now);
        }
    }
}
