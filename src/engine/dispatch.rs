//! Time and news: who is to be told what, and when the engine is to be called again.

use super::{Engine, TimerOwner};
use crate::{
    entropy::Entropy,
    event::Event,
    id::{LockId, NodeId},
    lock::{Effect, Input, Lock, Owner, Policy, Residue, Shared, Start},
    node::News,
    planted::{Planted, planted},
    quorum::Heard,
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
        self.transition(id, |lock, policy, shared| lock.handle(input, id, policy, shared, now));
    }

    /// Inserts a lock, and starts it.
    pub(super) fn begin(&mut self, id: LockId, lock: Lock, start: Start, now: Instant) {
        self.locks.insert(id, Box::new(lock));
        self.transition(id, |lock, policy, shared| lock.start(start, id, policy, shared, now));
    }

    fn transition(&mut self, id: LockId, to: impl FnOnce(&mut Lock, &Policy, Shared<'_>)) {
        let Some(lock) = self.locks.get_mut(&id) else {
            return;
        };
        let was_held = lock.is_held();
        let shared = Shared {
            topology: &mut self.topology,
            events: &mut self.events,
            entropy: &mut self.entropy,
            leaders: &mut self.leaders,
            effects: &mut self.effects,
            stats: &mut self.stats,
        };
        to(lock, &self.policy, shared);
        if lock.is_done() || lock.is_held() != was_held {
            self.effects.push_back(Effect::Unblocked);
        }
        self.note_lock(id);
    }

    /// What a step has led to, one thing after another: a line may be much longer than the stack is deep.
    pub(super) fn follow_up(&mut self, now: Instant) {
        while let Some(effect) = self.effects.pop_front() {
            match effect {
                Effect::Lead(leader) => self.step(leader, Input::Lead, now),
                Effect::Rejoin(waiter) => self.step(waiter, Input::Wake, now),
                Effect::CleanUp(after) => {
                    let (spec, owner, residue) = *after;
                    let id = self.next_lock();
                    self.begin(id, Lock::new(spec, owner, Vec::new()), Start::CleanUp(residue), now);
                }
                Effect::AdoptHead { head, seen_by } => self.look_after(head, seen_by, now),
                Effect::Unblocked if planted(Planted::ParkedForgotten) => {}
                Effect::Unblocked => self.unpark(now),
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
            let leaves_asking = lock.is_waiting() && !self.leaders.is_leader(lock.spec().keys.locks(), head);
            if leaves_asking && !self.parked.contains(&head) {
                self.step(head, Input::Wake, now);
            }
            return;
        }
        let Some(spec) = self.locks.get(&behind).map(|lock| lock.spec().clone()) else { return };
        // A token that nobody has: whatever the keys hold, it is not ours. Without randomness, another time.
        if let Ok(nobody) = Owner::new(None, &mut self.entropy) {
            // Under its own number, which is the waiter's.
            let residue = Residue::unknown_waiter(spec.registration_ttl(&self.policy));
            self.begin(head, Lock::new(spec, nobody, Vec::new()), Start::CleanUp(residue), now);
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
                self.touch(tag.lock, Input::Heard(Heard::Reply(node, tag.round, reply)), now);
            }
            News::NoScript(tag) => {
                self.stats.count(|counters| &mut counters.round_trips);
                self.touch(tag.lock, Input::Heard(Heard::NoScript(node, tag.round)), now);
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
                    self.touch(lock, Input::Heard(Heard::Ready(node)), now);
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
                    self.touch(lock, Input::Heard(Heard::Down(node, &fault)), now);
                }
            }
        }
    }
}
