//! Follows redirects, and tells locks when another server takes over their slot. A master with sentinels has all slots.

use super::Engine;
use crate::{
    entropy::Entropy,
    error::{Cause, NodeError},
    event::Event,
    id::{LockId, NodeId},
    lock::{Input, Lock},
    node::Tag,
    quorum::Heard,
    script::{Answer, into_sorted_set},
    time::Instant,
    topology::{ALL_SLOTS, Redirected, RouteNews, Slots, Topology, VoterId},
};

impl<E: Entropy + 'static> Engine<E> {
    /// Follows a reply that redirects its command, and ignores the answer of a server that no longer has the lock's slot.
    /// Returns any other reply.
    pub(super) fn follow(
        &mut self,
        node: NodeId,
        tag: Tag,
        mut reply: Result<Answer, NodeError>,
        now: Instant,
    ) -> Option<Result<Answer, NodeError>> {
        if !self.topology.is_routed(tag.node) {
            return Some(reply);
        }
        let Some(lock) = self.locks.get(tag.lock) else {
            // That the slot has moved is news, even if the lock is over.
            if let Err(error) = &reply
                && let Some(Redirected::Moved(slots)) = self.topology.redirect(node, tag, None, error)
            {
                self.shifted(self.topology.voter_id(node), &[slots], now);
            }
            return Some(reply);
        };
        let keys = lock.spec().keys_of(tag.node);
        if let Err(error) = &mut reply {
            if let Some(redirected) = self.topology.redirect(node, tag, Some(keys), error) {
                self.redirected(node, tag, redirected, error, now);
                return None;
            }
            if ["CLUSTERDOWN", "MOVED", "ASK"].contains(&error.prefix()) && self.topology.want_map(node) {
                // Also a redirect that cannot be followed, such as one to a server whose address nobody knows.
                *error = error.clone().into_transient();
            }
        }
        if self.topology.is_current(tag, keys) {
            return Some(reply);
        }
        let error = reply.err().unwrap_or_else(|| NodeError::connection(Cause::Unknown, FORMER));
        let heard = Heard::Former(tag.node, tag.serial, &error);
        self.deliver_and_follow(tag.lock, Input::Heard(heard), now);
        None
    }

    fn redirected(
        &mut self,
        node: NodeId,
        tag: Tag,
        redirected: Redirected,
        error: &NodeError,
        now: Instant,
    ) {
        let instead = match redirected {
            Redirected::Ask(to) => Some(to),
            Redirected::Moved(_) | Redirected::AsKnown => None,
            Redirected::ToItself => {
                let listening = self.patience.now();
                let Some(server) = self.topology.get(node) else { return };
                let news = server.renew(tag, &mut self.entropy, listening);
                return self.spread(node, news, now);
            }
        };
        let heard = Heard::Redirected(tag.node, tag.serial, instead, error);
        self.deliver_and_follow(tag.lock, Input::Heard(heard), now);
        if let Redirected::Moved(slots) = redirected {
            self.shifted(self.topology.voter_id(node), &[slots], now);
        }
    }

    /// Tells the waiting locks that it is known where they are, or that nobody says so.
    pub(super) fn reroute(&mut self, news: Option<(VoterId, RouteNews)>, now: Instant) {
        let Some((voter, news)) = news else { return };
        let first = self.topology.first_of(voter);
        match news {
            RouteNews::Changed { slots, waiting, former } => {
                for lock in into_sorted_set(waiting) {
                    self.deliver_and_follow(lock, Input::Heard(Heard::Ready(first)), now);
                }
                self.shifted(voter, &slots, now);
                // Later, so that the locks that waited for its connection wait for the new one already.
                let listening = self.patience.now();
                if let Some(former) = former
                    && let Some(left) = self.topology.get(former)
                    && let Some(news) = left.leave(&mut self.entropy, listening)
                {
                    self.spread(former, news, now);
                }
                if let Some(master) = self.topology.master(voter)
                    && self.topology.get(master).is_some_and(|server| server.id().is_none())
                {
                    self.win_back(master);
                }
                while let Some((voter, first, error)) = self.topology.poll_refused() {
                    // Its votes of rounds that go on do not count either.
                    self.shifted(voter, &[ALL_SLOTS], now);
                    self.events.push_back(Event::Connection { node: first, error: Some(error) });
                }
            }
            RouteNews::Unavailable(waiting, error) => {
                for lock in into_sorted_set(waiting) {
                    self.deliver_and_follow(lock, Input::Heard(Heard::Down(first, &error)), now);
                }
            }
        }
    }

    /// These slots of a voter have other servers now. Commands that wait for a connection go to these. Held locks are confirmed
    /// at once, because the new server may not have them; of the waiters those attempt that poll for others, because their
    /// registrations may be gone.
    fn shifted(&mut self, voter: VoterId, slots: &[Slots], now: Instant) {
        if slots.is_empty() {
            return;
        }
        let is_there = |lock: &Lock| Topology::is_in(lock.spec(), slots);
        let there: Vec<LockId> =
            self.locks.iter().filter(|(_, lock)| is_there(lock)).map(|&(id, _)| id).collect();
        for &id in &there {
            self.deliver_and_follow(id, Input::Heard(Heard::Shifted(voter.node())), now);
        }
        let is_held = |&id: &LockId| self.locks.get(id).is_some_and(|lock| lock.is_held());
        let (held, others): (Vec<LockId>, Vec<LockId>) = there.into_iter().partition(is_held);
        for &lock in &held {
            self.deliver_and_follow(lock, Input::Moved, now);
        }
        self.confirm(voter, &held, now);
        for id in others {
            let polls = |lock: &Lock| lock.is_waiting() && self.leaders.is_leader(lock.spec(), id);
            if self.locks.get(id).is_some_and(|lock| polls(lock)) {
                self.deliver_and_follow(id, Input::Wake, now);
            }
        }
    }

    /// The client may not listen any more for some waiters. Of those for which it could, the ones attempt that poll for others:
    /// then it listens again, and no wake-up of the meantime is missed.
    pub(super) fn listen_again(&mut self, now: Instant) {
        if !self.topology.is_sharded() {
            return;
        }
        let waiting: Vec<LockId> =
            self.locks.iter().filter(|(_, lock)| lock.is_waiting()).map(|&(id, _)| id).collect();
        for id in waiting {
            let is_deaf = |lock: &Lock| {
                self.leaders.is_leader(lock.spec(), id) && self.topology.misses(lock.spec(), id)
            };
            if self.locks.get(id).is_some_and(|lock| is_deaf(lock)) {
                self.deliver_and_follow(id, Input::Wake, now);
            }
        }
    }

    /// Whether a lock is on this server.
    pub(super) fn is_on(&self, node: NodeId, lock: LockId) -> bool {
        self.locks.get(lock).is_some_and(|lock| self.topology.is_on(node, lock.spec()))
    }
}

const FORMER: &str = "the answer came from a server that was replaced meanwhile";
