//! Delivers inputs to locks and nodes, after overdue timers, and carries out the effects on other locks.

use std::rc::Rc;

use super::Engine;
use crate::{
    entropy::Entropy,
    error::NodeError,
    event::Event,
    id::{LockId, NodeId},
    lock::{Effect, Input, Lock, Owner, Residue, Shared, Start},
    node::{News, Node},
    patience::Times,
    quorum::Heard,
    script::into_sorted_set,
    stats::Observed,
    time::{Duration, Instant},
    timers::{Timer, TimerOwner},
    topology::VoterId,
};

/// How many held locks are confirmed at once, and over how long more are spread.
const MOST_AT_ONCE: usize = 32;
const SPREAD: Duration = Duration::from_millis(100);

impl<E: Entropy + 'static> Engine<E> {
    /// Begins a call of the engine: runs the due timers, except patient ones, before any input is handled. After a stall
    /// the driver may deliver data before it reports the late timer. Returns whether this call follows a stall.
    pub(super) fn run_due(&mut self, now: Instant) -> bool {
        // Most calls come with the same reading of the clocks as the call before.
        let stalled = !self.patience.is_at(now) && self.patience.advance(now, self.poll_timeout());
        while let Some(owner) = self.deadlines.take_due(now) {
            let TimerOwner::Lock(id) = owner else { continue };
            if let Some(lock) = self.locks.get_mut(id) {
                lock.queued_at = None;
            }
            while let Some(timer) = self.take_overdue(id, now) {
                self.transition(id, Input::Timer(timer), now);
                self.carry_out_effects(now);
            }
            self.update_deadline(id);
            self.settle_nodes(now);
        }
        stalled
    }

    /// Runs the patient timers that were due by `believed`, in listening time: what they waited for did not come (rule 16).
    pub(super) fn run_patient(&mut self, believed: Instant, now: Instant) {
        self.believed = Some(believed);
        while let Some(owner) = self.patient_deadlines.take_due(believed) {
            match owner {
                TimerOwner::Lock(id) => {
                    if let Some(lock) = self.locks.get_mut(id) {
                        lock.patient_at = None;
                    }
                    while let Some(timer) =
                        self.locks.get_mut(id).and_then(|lock| lock.take_due_patient(believed))
                    {
                        self.transition(id, Input::Timer(timer), now);
                        self.carry_out_effects(now);
                    }
                    self.update_deadline(id);
                }
                TimerOwner::News => self.topology.queued_at = None,
                TimerOwner::Node(id) => {
                    let is_kept = self.owed > 0 && self.topology.serves(id) || self.topology.keeps(id);
                    let Some(node) = self.topology.get(id) else { continue };
                    node.queued_at = None;
                    if is_kept {
                        node.keep(believed);
                    }
                    self.topology.redial(id, believed);
                    let Some(node) = self.topology.get(id) else { continue };
                    if let Some(news) = node.timeout(&mut self.entropy, believed) {
                        self.spread(id, news, now);
                    }
                }
            }
            self.settle_nodes(now);
        }
        self.believed = None;
    }

    /// Delivers an input to a lock after its overdue timers, and carries out the effects.
    pub(super) fn deliver_and_follow(&mut self, id: LockId, input: Input<'_>, now: Instant) {
        self.deliver(id, input, now);
        self.carry_out_effects(now);
    }

    /// Delivers an input to a lock after its overdue timers.
    pub(super) fn deliver(&mut self, id: LockId, input: Input<'_>, now: Instant) {
        self.run_overdue(id, now);
        self.transition(id, input, now);
    }

    /// Runs the overdue timers of one lock: after a stall, a loss must come before any other input.
    pub(super) fn run_overdue(&mut self, id: LockId, now: Instant) {
        while let Some(timer) = self.take_overdue(id, now) {
            self.transition(id, Input::Timer(timer), now);
        }
    }

    fn take_overdue(&mut self, id: LockId, now: Instant) -> Option<Timer> {
        self.locks.get_mut(id)?.take_due(now)
    }

    /// Inserts a lock, and starts it.
    pub(super) fn begin(&mut self, id: LockId, lock: Lock, start: Start, now: Instant) {
        self.owners.add(lock.owner().token(), id);
        self.locks.insert(id, Box::new(lock));
        self.transition(id, Input::Start(start), now);
    }

    /// Makes one transition of one lock, without its timers and without carrying out effects.
    pub(super) fn transition(&mut self, id: LockId, input: Input<'_>, now: Instant) {
        let Some(lock) = self.locks.get_mut(id) else {
            return;
        };
        let was_held = lock.is_held();
        let was_owed = lock.is_owed();
        let token = lock.owner().token().clone();
        let shared = Shared {
            topology: &mut self.topology,
            handles: &mut self.handles,
            events: &mut self.events,
            entropy: &mut self.entropy,
            leaders: &mut self.leaders,
            effects: &mut self.effects,
            stats: &mut self.stats,
            closed: self.closed,
        };
        let listening = self.patience.now();
        let times = Times { now, listening, believed: self.believed.unwrap_or(listening) };
        lock.handle(input, id, &self.policy, shared, times);
        if !Rc::ptr_eq(lock.owner().token(), &token) {
            self.owners.remove(&token, id);
            self.owners.add(lock.owner().token(), id);
        }
        match (was_owed, lock.is_owed()) {
            (false, true) => self.owed = self.owed.saturating_add(1),
            (true, false) => self.owed = self.owed.saturating_sub(1),
            _ => {}
        }
        let is_over = lock.is_done();
        if (is_over || lock.is_held() != was_held) && self.owners.has_parked() {
            self.effects.push_back(Effect::Unblocked(token));
        }
        self.update_deadline(id);
    }

    /// Carries out the effects of transitions, one after the other. There is no recursion, because a queue of waiters
    /// may be far longer than the stack is deep.
    pub(super) fn carry_out_effects(&mut self, now: Instant) {
        while let Some(effect) = self.effects.pop_front() {
            match effect {
                Effect::Lead(leader) => self.deliver(leader, Input::Lead, now),
                Effect::Rejoin(waiter) => self.deliver(waiter, Input::Wake, now),
                Effect::CleanUp(after) => {
                    let (spec, owner, residue) = *after;
                    let id = LockId(self.next_id());
                    self.begin(id, Lock::new(spec, owner, None), Start::CleanUp(residue), now);
                }
                Effect::AdoptHead { head, seen_by } => self.adopt_head(head, seen_by, now),
                Effect::Unblocked(token) => self.unpark(&token, now),
            }
        }
    }

    /// The lock `seen_by` learned that `head`, another waiter of this client, is the head of a queue. If a leader polls
    /// for that waiter, it has to attempt now. If this client has no such waiter, a stale command left it in the queue,
    /// where this client's polls would keep it: it is removed.
    fn adopt_head(&mut self, head: LockId, seen_by: LockId, now: Instant) {
        if let Some(lock) = self.locks.get(head) {
            if lock.is_waiting() && !self.leaders.is_leader(lock.spec(), head) {
                self.deliver(head, Input::Wake, now);
            }
            return;
        }
        let Some(spec) = self.locks.get(seen_by).map(|lock| lock.spec().clone()) else { return };
        // With a new token, the release deletes no key. If there is no randomness now, a later denial tries again.
        if let Ok(owner) = Owner::draw(&self.policy.label, &mut self.entropy) {
            let residue = Residue::unknown_waiter(spec.registration_ttl(&self.policy));
            // The clean-up takes over the waiter's lock id, by which the server knows the waiter.
            self.begin(head, Lock::new(spec, owner, None), Start::CleanUp(residue), now);
        }
    }

    /// Updates the deadline queue for a lock, and removes the lock when it is done.
    fn update_deadline(&mut self, id: LockId) {
        let Some(lock) = self.locks.get_mut(id) else {
            return;
        };
        if lock.is_done() {
            self.deadlines.remove(TimerOwner::Lock(id), &mut lock.queued_at);
            self.patient_deadlines.remove(TimerOwner::Lock(id), &mut lock.patient_at);
            self.owners.remove(lock.owner().token(), id);
            self.locks.remove(id);
        } else {
            let next = lock.next_timer();
            self.deadlines.update(TimerOwner::Lock(id), &mut lock.queued_at, next);
            let next = lock.next_patient_timer();
            self.patient_deadlines.update(TimerOwner::Lock(id), &mut lock.patient_at, next);
        }
    }

    /// Ends a call: asks where locks are if it is time, and updates the deadline queue for the nodes.
    pub(super) fn settle_nodes(&mut self, now: Instant) {
        let listening = self.patience.now();
        let believed = self.believed;
        while let Some(news) =
            self.topology.ask_for_news(self.owed > 0, believed, &mut self.entropy, listening)
        {
            self.reroute(Some(news), now);
        }
        while let Some((id, node)) = self.topology.next_touched() {
            let next = node.deadline();
            self.patient_deadlines.update(TimerOwner::Node(id), &mut node.queued_at, next);
        }
        let (next, queued_at) = self.topology.news_deadline(self.owed > 0);
        self.patient_deadlines.update(TimerOwner::News, queued_at, next);
    }

    /// Delivers a node's news to the locks that they concern.
    pub(super) fn spread(&mut self, node: NodeId, news: News, now: Instant) {
        match news {
            News::Reply(tag, reply) => {
                self.stats.count(|counters| &mut counters.round_trips);
                if let Some(reply) = self.follow(node, tag, reply, now) {
                    let heard = Heard::Reply(tag.node, tag.serial, reply);
                    self.deliver_and_follow(tag.lock, Input::Heard(heard), now);
                }
            }
            News::Repeat(tag) => {
                self.stats.count(|counters| &mut counters.round_trips);
                self.deliver_and_follow(tag.lock, Input::Heard(Heard::Repeat(tag.node, tag.serial)), now);
            }
            News::Unanswered(tag, error) => {
                // The only word about the connections of another client.
                let failed = || Event::Connection { node, error: Some(error.clone()) };
                self.stats.observe(failed, &mut self.events);
                let heard = Heard::Unanswered(tag.node, tag.serial, &error);
                self.deliver_and_follow(tag.lock, Input::Heard(heard), now);
            }
            News::Answer(reply) => {
                let listening = self.patience.now();
                let news = self.topology.hear_news(node, reply, &mut self.entropy, listening);
                self.reroute(news, now);
            }
            News::Switch(message) => {
                let listening = self.patience.now();
                let news = self.topology.hear_switch(node, &message, &mut self.entropy, listening);
                self.reroute(news, now);
            }
            News::Wake(lock) => {
                if self.is_on(node, lock) {
                    self.deliver_and_follow(lock, Input::Wake, now);
                }
            }
            News::Unsubscribed => self.listen_again(now),
            News::Ready { waiting, again } => {
                if again {
                    self.stats.count(|counters| &mut counters.reconnects);
                }
                self.stats.observe(|| Event::Connection { node, error: None }, &mut self.events);
                let listening = self.patience.now();
                self.topology.is_connected(node, listening);
                for lock in into_sorted_set(waiting) {
                    self.deliver_and_follow(lock, Input::Heard(Heard::Ready(node)), now);
                }
                // What is held on a server that was never connected before has moved there.
                if again || self.topology.is_routed(self.topology.voter_id(node).node()) {
                    self.confirm_held(node, now);
                }
                self.listen_again(now);
            }
            News::Down { unanswered, waiting, error, close } => {
                let ended = || Event::Connection { node, error: Some(error.clone()) };
                self.stats.observe(ended, &mut self.events);
                if let Some(id) = close {
                    self.topology.close(id);
                }
                // One input per lock: it may resend at once, and the new command must not fail with the old ones.
                let unanswered = unanswered.into_iter().map(|tag| tag.lock);
                let locks = into_sorted_set(waiting.into_iter().chain(unanswered));
                // A client that does nothing, or hangs up itself, needs no news.
                let needed = !locks.is_empty() || self.owed > 0 || close.is_none() && self.busy() > 0;
                self.topology.lost(node, &error, needed);
                for &lock in &locks {
                    self.deliver_and_follow(lock, Input::Heard(Heard::Down(node, &error)), now);
                }
                let listening = self.patience.now();
                let news = self.topology.news_failed(node, &error, &mut self.entropy, listening);
                self.reroute(news, now);
                self.report_first_contact(node, &locks, error);
                self.win_back(node);
            }
        }
    }

    /// Connects again at once, or as soon as the backoff allows, if held locks are renewed on the node: the sooner it is
    /// there, the sooner they are confirmed (rule 5).
    pub(super) fn win_back(&mut self, node: NodeId) {
        let renews = self.topology.may_redial(node)
            && self.locks.iter().any(|(_, lock)| self.is_held_on(node, lock) && lock.is_owed());
        let listening = self.patience.now();
        if let Some(server) = self.topology.get(node) {
            server.want(renews);
        }
        self.topology.redial(node, listening);
    }

    /// Asks for all locks that are held on a node, because its connection is new: the server may have lost its data
    /// (rule 5).
    fn confirm_held(&mut self, node: NodeId, now: Instant) {
        let is_there = |lock: &Lock| self.is_held_on(node, lock);
        let held: Vec<_> = self.locks.iter().filter(|(_, lock)| is_there(lock)).map(|&(id, _)| id).collect();
        self.confirm(self.topology.voter_id(node), &held, now);
    }

    fn is_held_on(&self, node: NodeId, lock: &Lock) -> bool {
        lock.is_held() && self.topology.is_on(node, lock.spec())
    }

    /// Asks for these held locks. Many are spread over a time, in groups that share a call.
    pub(super) fn confirm(&mut self, voter: VoterId, held: &[LockId], now: Instant) {
        let groups = u64::try_from(held.len().div_ceil(MOST_AT_ONCE)).unwrap_or(u64::MAX);
        for (group, delay) in held.chunks(MOST_AT_ONCE).zip((0..).map(|at| SPREAD.part(groups).times(at))) {
            for &id in group {
                self.deliver_and_follow(id, Input::Confirm(voter.node(), delay), now);
            }
        }
    }

    /// Reports the failure of a server's first connection if one of these locks is still waiting: the application should
    /// not have to wait for the end of `wait` to learn of it. Of one of several votes, and of a sentinel, it is always reported:
    /// the others suffice, and nobody would notice that one is missing (rule 19).
    fn report_first_contact(&mut self, node: NodeId, locks: &[LockId], error: NodeError) {
        let is_waiting = |&id: &LockId| self.locks.get(id).is_some_and(|lock| lock.is_waiting());
        if self.stats.observed == Observed::FirstContacts
            && (self.topology.votes_alone(node)
                || self.topology.is_sentinel(node)
                || locks.iter().any(is_waiting))
            && self.topology.get(node).is_some_and(Node::is_first_failure)
        {
            self.events.push_back(Event::Connection { node, error: Some(error) });
        }
    }
}
