//! Wake-ups on shard channels. A cluster sends such a message to the servers of one shard, not to all.
//!
//! A client has a channel in each slot ([`client_of_slot`]). It subscribes to it at the slot's server when a lock waits there,
//! before the attempt that registers the waiter. When none waits there any more, it stays subscribed for the next, in a few
//! slots. A subscription ends with its connection, or when the slot moves: the next attempt of a waiter
//! begins another.

use super::{Placed, Slot, Topology};
use crate::{
    id::{LockId, NodeId},
    node::Node,
    script::{LockKeys, client_of_slot, wake_channel},
    time::Instant,
};

impl Topology {
    /// Whether wake-ups are published on shard channels. With several votes there are none.
    pub(crate) fn is_sharded(&self) -> bool {
        self.sharded && !self.has_several_votes() && self.has_cluster()
    }

    /// The client as registrations in the slot of these keys name it.
    pub(crate) fn client(&self, keys: &LockKeys) -> Vec<u8> {
        match self.is_sharded() {
            true => client_of_slot(&self.prefix, &self.client, Slot::of(keys).0),
            false => self.client.clone(),
        }
    }

    /// The channel of the client's wake-ups, or what its shard channels begin with.
    pub(super) fn channel(&self) -> Vec<u8> {
        let mut channel = wake_channel(&self.prefix, &self.client);
        if self.is_sharded() {
            channel.push(b'{');
        }
        channel
    }

    fn channel_of(&self, slot: Slot) -> Vec<u8> {
        wake_channel(&self.prefix, &client_of_slot(&self.prefix, &self.client, slot.0))
    }

    /// A lock with these keys waits: from its next attempt on, the client listens in their slot. Returns whether it can already,
    /// and does not.
    pub(crate) fn add_listener(&mut self, keys: &LockKeys, lock: LockId) -> bool {
        if !self.is_sharded() || self.listeners.has(Slot::of(keys), lock) {
            return false;
        }
        self.listeners.add(Slot::of(keys), lock);
        self.is_deaf(keys)
    }

    /// A lock is about to attempt. If it waits, the client listens before the attempt registers it, so that no wake-up is missed.
    pub(crate) fn listen(&mut self, keys: &LockKeys, lock: LockId, now: Instant) {
        if self.is_sharded() && self.listeners.has(Slot::of(keys), lock) && self.is_deaf(keys) {
            let slot = Slot::of(keys);
            let channel = self.channel_of(slot);
            if let Some(server) = self.server_of_slot(slot) {
                server.subscribe(slot.0, &channel, now);
            }
        }
    }

    /// A lock with these keys waits no more.
    pub(crate) fn stop_listening(&mut self, keys: &LockKeys, lock: LockId, now: Instant) {
        if !self.is_sharded() {
            return;
        }
        let Some(slot) = self.listeners.remove(Slot::of(keys), lock) else { return };
        let channel = self.channel_of(slot);
        if let Some(server) = self.server_of_slot(slot) {
            server.unsubscribe(slot.0, &channel, now);
        }
    }

    fn server_of_slot(&mut self, slot: Slot) -> Option<&mut Node> {
        let server = self.server_of(NodeId(0), || slot)?;
        self.get(server)
    }

    /// Whether wake-ups for keys would arrive if the client listened for them.
    pub(crate) fn is_deaf(&self, keys: &LockKeys) -> bool {
        if !self.is_sharded() {
            return false;
        }
        let slot = Slot::of(keys);
        let server = self.server_of(NodeId(0), || slot).and_then(|server| self.servers.peek(server));
        server.is_some_and(|server| server.is_deaf(slot.0))
    }

    /// Whether a lock waits in a slot in which the client could listen, and does not.
    pub(crate) fn misses(&self, spec: &impl Placed, lock: LockId) -> bool {
        let mut groups = spec.placement().nodes().map(|node| spec.keys_of(node));
        groups.any(|keys| self.listeners.has(Slot::of(keys), lock) && self.is_deaf(keys))
    }
}
