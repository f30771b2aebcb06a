//! One question put to every server, and what each said to it.

use super::{
    ballot::{Ballot, is_yes},
    tally::{Tally, Verdict, quorum},
};
use crate::{
    error::{NodeError, Vote},
    event::Event,
    id::NodeId,
    lock::{Context, Input, Verb},
    node::{Asked, Tag},
    planted::{Planted, planted},
    script::Answer,
    time::{Duration, Instant},
    timers::Timer,
};

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Round {
    serial: u32,
    pub(crate) verb: Verb,
    ballots: Vec<Ballot>,
    begun: Instant,
}

impl Round {
    /// Puts the question to all servers at once.
    pub(crate) fn start(verb: Verb, cx: &mut Context<'_>) -> Self {
        let serial = cx.next_serial();
        let mut round =
            Self { serial, verb, ballots: Vec::with_capacity(cx.world.topology.count()), begun: cx.now };
        for node in cx.world.topology.ids() {
            let ballot = round.ask(node, cx);
            round.ballots.push(ballot);
        }
        round
    }

    /// The same, but for servers that keep nothing for us since another round: they are taken to have said so.
    pub(crate) fn start_where_held(other: &Self, verb: Verb, cx: &mut Context<'_>) -> Self {
        let serial = cx.next_serial();
        let mut round = Self { serial, verb, ballots: Vec::new(), begun: cx.now };
        for (node, ballot) in other.ballots() {
            let ballot = if ballot.may_hold() {
                round.ask(node, cx)
            } else {
                Ballot::Answered(cx.now, Answer::Count(0))
            };
            round.ballots.push(ballot);
        }
        round
    }

    /// Whether any server that was asked has not answered.
    pub(crate) fn is_asking(&self) -> bool {
        self.ballots.iter().any(|ballot| matches!(ballot, Ballot::Asked(_)))
    }

    fn ask(&self, node: NodeId, cx: &mut Context<'_>) -> Ballot {
        ballot_of(cx.ask(node, self.tag(cx), self.verb), cx.now)
    }

    fn tag(&self, cx: &Context<'_>) -> Tag {
        Tag { lock: cx.id, round: self.serial }
    }

    /// Whether a reply under that number is to this question.
    pub(crate) fn is(&self, serial: u32) -> bool {
        self.serial == serial || planted(Planted::AnswerOfAnotherRound)
    }

    pub(crate) fn ballots(&self) -> impl Iterator<Item = (NodeId, &Ballot)> {
        (0..).map(NodeId).zip(&self.ballots)
    }

    /// Takes in what happened, if it is about this question; false if it is not.
    pub(crate) fn handle(&mut self, input: Input<'_>, cx: &mut Context<'_>) -> bool {
        match input {
            Input::Ready(node) => self.on_ready(node, cx),
            Input::Down(node, fault) => self.on_down(node, fault),
            Input::Timer(Timer::Round) => self.expire(cx.spec.node_timeout, cx.now),
            Input::Reply(node, serial, reply) if self.is(serial) => self.on_reply(node, reply),
            Input::NoScript(..) if planted(Planted::UnknownUnheard) => {}
            Input::NoScript(node, serial) if serial == self.serial => self.on_no_script(node, cx),
            _ => return false,
        }
        true
    }

    /// A server is ready: it is asked if it was waited for.
    fn on_ready(&mut self, node: NodeId, cx: &mut Context<'_>) {
        if self.ballot(node).is_some_and(|ballot| *ballot == Ballot::Waiting) {
            let asked = self.ask(node, cx);
            self.set(node, asked);
        }
    }

    /// A server cannot be had, or its connection ended.
    fn on_down(&mut self, node: NodeId, fault: &NodeError) {
        match self.ballot(node) {
            Some(Ballot::Waiting) => self.set(node, Ballot::Failed(fault.clone(), None)),
            Some(&mut Ballot::Asked(sent)) => self.set(node, Ballot::Failed(fault.clone(), Some(sent))),
            _ => {}
        }
    }

    /// A server answered, perhaps after it was given up on.
    pub(crate) fn on_reply(&mut self, node: NodeId, reply: Result<Answer, NodeError>) {
        let Some(ballot) = self.ballot(node) else { return };
        if let Ballot::Asked(sent) | Ballot::Failed(_, Some(sent)) = *ballot {
            *ballot = match reply {
                Ok(answer) => Ballot::Answered(sent, answer),
                Err(_) if planted(Planted::ErrorIsNo) => Ballot::Answered(sent, Answer::Flag(false)),
                Err(fault) => Ballot::Failed(fault, Some(sent)),
            };
        }
    }

    /// The server does not have the script: it is asked again, which sends the script's text. The time of sending stays
    /// that of the first question.
    fn on_no_script(&mut self, node: NodeId, cx: &mut Context<'_>) {
        let asked = cx.ask(node, self.tag(cx), self.verb);
        if asked != Asked::Sent {
            self.set(node, ballot_of(asked, cx.now));
        }
    }

    /// What a server answered, and to what was asked when.
    pub(crate) fn answer(&self, node: NodeId) -> Option<(Instant, Answer)> {
        match self.ballots.get(usize::try_from(node.0).ok()?)? {
            Ballot::Answered(sent, answer) => Some((*sent, *answer)),
            _ => None,
        }
    }

    /// When the first of those was asked who have answered.
    pub(crate) fn first_sent(&self) -> Option<Instant> {
        let sent = self.ballots.iter().filter_map(|ballot| match ballot {
            Ballot::Answered(sent, _) => Some(*sent),
            _ => None,
        });
        sent.min()
    }

    /// Sets the time at which a server is to be given up on, if any is.
    pub(crate) fn arm(&self, cx: &mut Context<'_>) {
        match self.deadline(cx.spec.node_timeout) {
            Some(deadline) => cx.timers.set(Timer::Round, deadline),
            None => cx.timers.stop(Timer::Round),
        }
    }

    /// Gives up on servers that were asked `patience` ago.
    fn expire(&mut self, patience: Duration, now: Instant) {
        let (begun, several) = (self.begun, self.is_of_several());
        for ballot in &mut self.ballots {
            if ballot.deadline(patience, begun, several).is_none_or(|deadline| deadline > now) {
                continue;
            }
            let (text, sent) = match *ballot {
                Ballot::Asked(sent) => {
                    (format!("no answer within {} ms (nodeTimeout)", patience.as_millis()), Some(sent))
                }
                _ => ("no connection in time for a majority".to_owned(), None),
            };
            *ballot = Ballot::Failed(NodeError::Connection(text.into()), sent);
        }
    }

    /// When the next server is to be given up on.
    fn deadline(&self, patience: Duration) -> Option<Instant> {
        let several = self.is_of_several();
        self.ballots.iter().filter_map(|ballot| ballot.deadline(patience, self.begun, several)).min()
    }

    const fn is_of_several(&self) -> bool {
        self.ballots.len() > 1
    }

    /// Asks again those that failed and may yet succeed. Their old answers, should they come, are as good.
    pub(crate) fn ask_failed_again(&mut self, cx: &mut Context<'_>) {
        self.begun = cx.now;
        for node in cx.world.topology.ids() {
            if matches!(self.ballot(node), Some(Ballot::Failed(fault, _)) if !fault.is_permanent()) {
                let asked = self.ask(node, cx);
                self.set(node, asked);
            }
        }
    }

    /// Whether asking again those that failed could help.
    pub(crate) fn has_transient_errors(&self) -> bool {
        self.ballots.iter().any(|ballot| matches!(ballot, Ballot::Failed(fault, _) if !fault.is_permanent()))
    }

    /// Whether any server may have done what was asked, or did. `registered` if a no leaves us among those who wait.
    pub(crate) fn may_have_written(&self, registered: bool) -> bool {
        self.ballots.iter().any(|ballot| ballot.may_have_written(registered))
    }

    /// Whether any server may keep for us what others want.
    pub(crate) fn may_hold(&self) -> bool {
        self.ballots.iter().any(Ballot::may_hold)
    }

    /// Tells those who watch that some of several servers could not be asked.
    pub(crate) fn tell_degraded(&self, cx: &mut Context<'_>) {
        let missing = self
            .ballots
            .iter()
            .filter(|ballot| matches!(ballot, Ballot::Waiting | Ballot::Failed(..)))
            .count();
        if missing > 0 {
            cx.observe(Event::Degraded { lock: cx.id, missing: u32::try_from(missing).unwrap_or(u32::MAX) });
        }
    }

    /// Counts the votes; `keys` is how many keys the lock has.
    pub(crate) fn tally(&self, keys: usize) -> Tally {
        let mut tally = Tally::default();
        for ballot in &self.ballots {
            let votes = match ballot {
                Ballot::Waiting | Ballot::Asked(_) => &mut tally.pending,
                Ballot::Failed(..) => &mut tally.failed,
                Ballot::Answered(_, answer) if is_yes(*answer, keys) => &mut tally.yes,
                Ballot::Answered(..) => &mut tally.no,
            };
            *votes = votes.saturating_add(1);
        }
        tally
    }

    /// Whether so many servers answered with errors that will not pass that asking again is in vain. A queue that is full
    /// must not grow by those who wait to enter it.
    pub(crate) fn is_permanently_unreachable(&self) -> bool {
        let is_permanent = |fault: &NodeError| fault.is_permanent() || *fault == NodeError::Overloaded;
        let hopeless = |ballot: &&Ballot| matches!(ballot, Ballot::Failed(fault, _) if is_permanent(fault));
        self.ballots.iter().filter(hopeless).count()
            > self.ballots.len().saturating_sub(quorum(self.ballots.len()))
    }

    /// The first server that failed, and how.
    pub(crate) fn fault(&self) -> Option<(NodeId, &NodeError)> {
        self.ballots().find_map(|(node, ballot)| match ballot {
            Ballot::Failed(fault, _) => Some((node, fault)),
            _ => None,
        })
    }

    /// How long the holder may keep it, by the word of those who said no; `None` for ever.
    pub(crate) fn longest_wait(&self) -> Option<Duration> {
        let mut waits = self.ballots.iter().filter_map(|ballot| match *ballot {
            Ballot::Answered(_, Answer::Wait { left, .. }) => Some(left),
            _ => None,
        });
        waits.try_fold(Duration::ZERO, |longest, left| Some(longest.max(left?)))
    }

    /// How each server voted; those that have not answered, though there was a `wait` of so many ms, failed.
    pub(crate) fn votes(&self, wait: u64) -> Vec<(NodeId, Vote)> {
        let open = self.tally(0).verdict() == Verdict::Pending;
        let late = |what: &str| {
            let text = match open {
                true => format!("{what} within the wait of {wait} ms"),
                false => format!("{what} when the others' votes had decided"),
            };
            Vote::Failed(NodeError::Connection(text.into()))
        };
        let vote = |ballot: &Ballot| match ballot {
            Ballot::Answered(_, Answer::Wait { .. } | Answer::Flag(false)) => Vote::Held,
            Ballot::Answered(..) => Vote::Granted,
            Ballot::Failed(fault, _) => Vote::Failed(fault.clone()),
            Ballot::Asked(_) => late("no answer"),
            Ballot::Waiting => late("no connection"),
        };
        self.ballots().map(|(node, ballot)| (node, vote(ballot))).collect()
    }

    fn ballot(&mut self, node: NodeId) -> Option<&mut Ballot> {
        self.ballots.get_mut(usize::try_from(node.0).ok()?)
    }

    fn set(&mut self, node: NodeId, ballot: Ballot) {
        if let Some(slot) = self.ballot(node) {
            *slot = ballot;
        }
    }
}

/// What asking came to, at that time.
fn ballot_of(asked: Asked, now: Instant) -> Ballot {
    match asked {
        Asked::Sent => Ballot::Asked(now),
        Asked::Waiting => Ballot::Waiting,
        Asked::Refused(fault) => Ballot::Failed(fault, None),
    }
}
