//! Time and news: who is to be told what, and when the engine is to be called again.

use super::{Engine, TimerOwner};
use crate::{
    entropy::Entropy,
    event::Event,
    id::{LockId, NodeId},
    lock::{Input, Lock, Owner, World},
    node::News,
    planted::{Planted, planted},
    script::into_sorted_set,
    time::Instant,
};

impl<E: Entropy + 'static> Engine<E> {
    /// Runs everything that is due before anything else is looked at: after a stall, data arrives before the late timer.
    pub(super) fn run_due(&mut self, now: Instant) {
        while let Some(owner) = self.deadlines.take_due(now) {
            match owner {
                TimerOwner::Lock(id) => {
                    if let Some(lock) = self.locks.get_mut(&id) {
                        lock.queued_at = None;
                    }
                    while let Some(timer) = self.locks.get_mut(&id).and_then(|lock| lock.take_due(now)) {
                        self.touch(id, Input::Timer(timer), now);
                    }
                    self.note_lock(id);
                }
                TimerOwner::Node(id) => {
                    let Some(node) = self.topology.get(id) else { continue };
                    node.queued_at = None;
                    if let Some(news) = node.timeout(&mut self.entropy, now) {
                        self.spread(id, news, now);
                    }
                }
            }
            self.note_nodes();
        }
    }

    /// Tells a lock what happened, and carries out what follows for others.
    pub(super) fn touch(&mut self, id: LockId, input: Input<'_>, now: Instant) {
        self.step(id, input, now);
        self.follow_up(now);
    }

    /// The same for one lock alone.
    pub(super) fn step(&mut self, id: LockId, input: Input<'_>, now: Instant) {
        if !matches!(input, Input::Timer(_)) {
            self.catch_up(id, now);
        }
        self.transit(id, input, now);
    }

    /// After a stall: what is overdue comes first, above all a loss.
    pub(super) fn catch_up(&mut self, id: LockId, now: Instant) {
        while let Some(timer) = self.locks.get_mut(&id).and_then(|lock| lock.take_due(now)) {
            self.transit(id, Input::Timer(timer), now);
        }
    }

    fn transit(&mut self, id: LockId, input: Input<'_>, now: Instant) {
        let Some(lock) = self.locks.get_mut(&id) else {
            return;
        };
        let was_held = lock.is_held();
        let world = World {
            topology: &mut self.topology,
            events: &mut self.events,
            entropy: &mut self.entropy,
            leaders: &mut self.leaders,
            leftovers: &mut self.leftovers,
            heads: &mut self.heads,
            stats: &mut self.stats,
        };
        lock.handle(input, id, &self.policy, world, now);
        self.unblocked |= lock.is_done() || lock.is_held() != was_held;
        self.note_lock(id);
    }

    /// What a step has led to, one thing after another: a line may be much longer than the stack is deep.
    pub(super) fn follow_up(&mut self, now: Instant) {
        loop {
            if let Some(first) = self.leaders.next_promoted() {
                self.step(first, Input::Promoted, now);
            } else if let Some(behind) = self.leaders.next_recalled() {
                self.step(behind, Input::Wake, now);
            } else if let Some(lock) = self.leftovers.pop() {
                let id = self.next_lock();
                self.begin(id, lock, now);
            } else if let Some((head, behind)) = self.heads.pop() {
                self.look_after(head, behind, now);
            } else if core::mem::take(&mut self.unblocked) && !planted(Planted::ParkedForgotten) {
                self.unpark(now);
            } else {
                return;
            }
        }
    }

    /// A waiter of ours is the head of a queue, as the one `behind` it heard. If it waits, but leaves asking to another, it
    /// is to ask. If nothing is known of it, a command that ran late left it there, and it would stay for as long as we keep
    /// this client's places: it is taken out.
    fn look_after(&mut self, head: LockId, behind: LockId, now: Instant) {
        if planted(Planted::HeadForgotten) {
            return;
        }
        if let Some(lock) = self.locks.get(&self.primary(head)) {
            let leaves_asking = lock.is_waiting() && !self.leaders.is_first(lock.spec().lock_keys(), head);
            if leaves_asking && !self.parked.contains(&head) {
                self.step(head, Input::Wake, now);
            }
            return;
        }
        let Some(spec) = self.locks.get(&behind).map(|lock| lock.spec().clone()) else { return };
        // A token that nobody has: whatever the keys hold, it is not ours. Without randomness, another time.
        if let Ok(nobody) = Owner::new(None, &mut self.entropy) {
            // Under its own number, which is the waiter's.
            self.begin(head, Lock::stray(spec, nobody), now);
        }
    }

    /// Keeps the deadlines up with a lock, and forgets the lock when nothing is left of it.
    fn note_lock(&mut self, id: LockId) {
        let Some(lock) = self.locks.get_mut(&id) else {
            return;
        };
        if !lock.is_held() && !self.aliases.is_empty() {
            self.aliases.retain(|&(_, held)| held != id);
        }
        if lock.is_done() {
            self.deadlines.remove(TimerOwner::Lock(id), &mut lock.queued_at);
            self.locks.remove(&id);
        } else {
            let next = lock.next_timer();
            self.deadlines.update(TimerOwner::Lock(id), &mut lock.queued_at, next);
        }
    }

    pub(super) fn note_nodes(&mut self) {
        for (id, node) in self.topology.iter() {
            let next = node.deadline();
            self.deadlines.update(TimerOwner::Node(id), &mut node.queued_at, next);
        }
    }

    /// Tells the locks what a server had to say.
    pub(super) fn spread(&mut self, node: NodeId, news: News, now: Instant) {
        match news {
            News::Reply(tag, reply) => {
                self.stats.count(|counters| &mut counters.round_trips);
                self.touch(tag.lock, Input::Reply(node, tag.round, reply), now);
            }
            News::NoScript(tag) => {
                self.stats.count(|counters| &mut counters.round_trips);
                self.touch(tag.lock, Input::NoScript(node, tag.round), now);
            }
            // A parked lock has asked for nothing, and must not before it is its turn.
            News::Wake(lock) if self.parked.contains(&lock) => {}
            News::Wake(lock) => self.touch(lock, Input::Wake, now),
            News::Ready { waiting, again } => {
                if again {
                    self.stats.count(|counters| &mut counters.reconnects);
                }
                self.stats.observe(Event::Connection { node, ready: true }, &mut self.events);
                for lock in into_sorted_set(waiting) {
                    self.touch(lock, Input::Ready(node), now);
                }
            }
            News::Down { unanswered, waiting, fault, close } => {
                self.stats.observe(Event::Connection { node, ready: false }, &mut self.events);
                if let Some(id) = close {
                    self.topology.close(id);
                }
                // Once for each lock: it may ask anew at once, and what it asks then is not down.
                let unanswered = unanswered.into_iter().map(|tag| tag.lock);
                for lock in into_sorted_set(waiting.into_iter().chain(unanswered)) {
                    self.touch(lock, Input::Down(node, &fault), now);
                }
            }
        }
    }
}
