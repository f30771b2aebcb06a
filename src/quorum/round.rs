//! One call to every node of a placement, and each node's ballot.

use super::{
    ballot::{Ballot, is_yes},
    tally::{Tally, Verdict},
};
use crate::{
    error::NodeError,
    id::NodeId,
    node::Asked,
    script::{Answer, Verb},
    time::{Duration, Instant},
    topology::Placement,
};

/// Sends the call of a round to one node. A round knows neither the lock nor the script behind it.
pub(crate) trait Ask {
    /// The time before anything is sent.
    fn now(&self) -> Instant;

    /// Sends the call of the round with this serial number.
    fn ask(&mut self, node: NodeId, serial: u32, verb: Verb) -> Asked;
}

/// What a round hears.
#[derive(Debug)]
pub(crate) enum Heard<'a> {
    /// The node is ready: it can be asked now.
    Ready(NodeId),
    /// The connection to the node ended or could not be made.
    Down(NodeId, &'a NodeError),
    /// The node answered the round with this serial number.
    Reply(NodeId, u32, Result<Answer, NodeError>),
    /// The node does not have the script of the round with this serial number, and did nothing.
    NoScript(NodeId, u32),
    /// The deadline of the round has come.
    Timeout,
}

/// The terms of a vote.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Terms {
    pub(crate) placement: Placement,
    /// How many keys a node must confirm.
    pub(crate) keys: usize,
    /// How long a node may take to answer.
    pub(crate) patience: Duration,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Round {
    serial: u32,
    pub(crate) verb: Verb,
    terms: Terms,
    ballots: Vec<(NodeId, Ballot)>,
    begun: Instant,
}

impl Round {
    /// Calls every node at once.
    pub(crate) fn start(verb: Verb, serial: u32, terms: Terms, to: &mut impl Ask) -> Self {
        let mut ballots = Vec::with_capacity(terms.placement.count());
        for node in terms.placement.nodes() {
            ballots.push((node, ballot(node, serial, verb, to)));
        }
        Self { serial, verb, terms, ballots, begun: to.now() }
    }

    /// Calls the nodes that may hold what `attempt` asked for. The others count as having confirmed that they hold nothing.
    pub(crate) fn start_where_held(attempt: &Self, verb: Verb, serial: u32, to: &mut impl Ask) -> Self {
        let mut round = Self { serial, verb, begun: to.now(), ..attempt.clone() };
        for (node, slot) in &mut round.ballots {
            *slot = match slot.may_hold() {
                true => ballot(*node, serial, verb, to),
                false => Ballot::Answered(round.begun, Answer::Count(0)),
            };
        }
        round
    }

    /// Whether this is the round with that serial number.
    pub(crate) fn is(&self, serial: u32) -> bool {
        self.serial == serial
    }

    /// Takes in what concerns this round; false if it does not.
    pub(crate) fn handle(&mut self, heard: Heard<'_>, to: &mut impl Ask) -> bool {
        match heard {
            Heard::Ready(node) => self.on_ready(node, to),
            Heard::Down(node, error) => self.on_down(node, error),
            Heard::Timeout => self.expire(to.now()),
            Heard::Reply(node, serial, reply) if self.is(serial) => self.on_reply(node, reply),
            Heard::NoScript(node, serial) if serial == self.serial => self.on_no_script(node, to),
            _ => return false,
        }
        true
    }

    fn on_ready(&mut self, node: NodeId, to: &mut impl Ask) {
        let (serial, verb) = (self.serial, self.verb);
        if let Some(slot @ Ballot::Waiting) = self.slot(node) {
            *slot = ballot(node, serial, verb, to);
        }
    }

    fn on_down(&mut self, node: NodeId, error: &NodeError) {
        match self.slot(node) {
            Some(slot @ Ballot::Waiting) => *slot = Ballot::Failed(error.clone(), None),
            Some(slot @ &mut Ballot::Asked(sent)) => *slot = Ballot::Failed(error.clone(), Some(sent)),
            _ => {}
        }
    }

    /// A node answered, perhaps after the round gave up on it.
    pub(crate) fn on_reply(&mut self, node: NodeId, reply: Result<Answer, NodeError>) {
        let Some(slot) = self.slot(node) else { return };
        if let Ballot::Asked(sent) | Ballot::Failed(_, Some(sent)) = *slot {
            *slot = match reply {
                Ok(answer) => Ballot::Answered(sent, answer),
                Err(error) => Ballot::Failed(error, Some(sent)),
            };
        }
    }

    /// The node does not have the script: the call is repeated, which sends the script's text. The time of sending stays
    /// that of the first call.
    fn on_no_script(&mut self, node: NodeId, to: &mut impl Ask) {
        match to.ask(node, self.serial, self.verb) {
            Asked::Sent => {}
            not_sent => {
                if let Some(slot) = self.slot(node) {
                    *slot = ballot_of(not_sent, to.now());
                }
            }
        }
    }

    /// Repeats the call to nodes with transient errors. Late answers to the first call count as well.
    pub(crate) fn ask_failed_again(&mut self, to: &mut impl Ask) {
        self.begun = to.now();
        let (serial, verb) = (self.serial, self.verb);
        for (node, slot) in &mut self.ballots {
            if matches!(slot, Ballot::Failed(error, _) if !error.is_permanent()) {
                *slot = ballot(*node, serial, verb, to);
            }
        }
    }

    /// When the round next gives up on a node.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.ballots.iter().filter_map(|(_, ballot)| deadline(ballot, self.terms, self.begun)).min()
    }

    /// Gives up on the nodes whose deadline has come.
    fn expire(&mut self, now: Instant) {
        let Self { terms, begun, ballots, .. } = self;
        for (_, slot) in ballots {
            if deadline(slot, *terms, *begun).is_none_or(|deadline| deadline > now) {
                continue;
            }
            let (text, sent) = match *slot {
                Ballot::Asked(sent) => {
                    let patience = terms.patience.as_millis();
                    (format!("no answer within {patience} ms (nodeTimeout)"), Some(sent))
                }
                _ => ("no connection in time for a majority".to_owned(), None),
            };
            *slot = Ballot::Failed(NodeError::Connection(text.into()), sent);
        }
    }

    /// The votes so far.
    pub(crate) fn tally(&self) -> Tally {
        let mut tally = Tally::default();
        for (_, ballot) in &self.ballots {
            let votes = match ballot {
                Ballot::Waiting | Ballot::Asked(_) => &mut tally.pending,
                Ballot::Failed(..) => &mut tally.failed,
                Ballot::Answered(_, answer) if is_yes(*answer, self.terms.keys) => &mut tally.yes,
                Ballot::Answered(..) => &mut tally.no,
            };
            *votes = votes.saturating_add(1);
        }
        tally
    }

    /// What the votes have come to.
    pub(crate) fn verdict(&self) -> Verdict {
        self.tally().verdict(self.terms.placement.needed())
    }

    pub(crate) fn ballots(&self) -> &[(NodeId, Ballot)] {
        &self.ballots
    }

    /// What a node answered, and when it was asked.
    pub(crate) fn answer(&self, node: NodeId) -> Option<(Instant, Answer)> {
        self.answers().find_map(|(each, sent, answer)| (each == node).then_some((sent, answer)))
    }

    /// The answers so far, with the time at which each node was asked.
    pub(crate) fn answers(&self) -> impl Iterator<Item = (NodeId, Instant, Answer)> {
        self.ballots.iter().filter_map(|(node, ballot)| match ballot {
            Ballot::Answered(sent, answer) => Some((*node, *sent, *answer)),
            _ => None,
        })
    }

    /// The earliest time at which a node was asked that has answered.
    pub(crate) fn first_sent(&self) -> Option<Instant> {
        self.answers().map(|(_, sent, _)| sent).min()
    }

    /// Whether a node that was asked has not answered.
    pub(crate) fn is_asking(&self) -> bool {
        self.ballots.iter().any(|(_, ballot)| matches!(ballot, Ballot::Asked(_)))
    }

    /// How many nodes could not be asked or did not answer.
    pub(crate) fn missing(&self) -> usize {
        let is_missing = |ballot: &Ballot| matches!(ballot, Ballot::Waiting | Ballot::Failed(..));
        self.ballots.iter().filter(|(_, ballot)| is_missing(ballot)).count()
    }

    /// The first node that failed, and its error.
    pub(crate) fn error(&self) -> Option<(NodeId, &NodeError)> {
        self.errors().next()
    }

    fn errors(&self) -> impl Iterator<Item = (NodeId, &NodeError)> {
        self.ballots.iter().filter_map(|(node, ballot)| match ballot {
            Ballot::Failed(error, _) => Some((*node, error)),
            _ => None,
        })
    }

    /// Whether repeating the call to nodes that failed could help.
    pub(crate) fn has_transient_errors(&self) -> bool {
        self.errors().any(|(_, error)| !error.is_permanent())
    }

    /// Whether permanent errors keep the vote from being won. A full pipeline counts too: it must not grow by waiters
    /// that ask again.
    pub(crate) fn is_permanently_unreachable(&self) -> bool {
        let is_permanent = |error: &NodeError| error.is_permanent() || *error == NodeError::Overloaded;
        let failed = self.errors().filter(|(_, error)| is_permanent(error)).count();
        failed > self.ballots.len().saturating_sub(self.terms.placement.needed())
    }

    /// Whether any node may have carried out the call. `registered` if a denial leaves a registration of ours there.
    pub(crate) fn may_have_written(&self, registered: bool) -> bool {
        self.ballots.iter().any(|(_, ballot)| ballot.may_have_written(registered))
    }

    /// Whether any node may keep a grant of ours.
    pub(crate) fn may_hold(&self) -> bool {
        self.ballots.iter().any(|(_, ballot)| ballot.may_hold())
    }

    /// The longest remaining lease among the denials; `None` if one never ends.
    pub(crate) fn longest_wait(&self) -> Option<Duration> {
        let mut waits = self.answers().filter_map(|(_, _, answer)| match answer {
            Answer::Wait { left, .. } => Some(left),
            _ => None,
        });
        waits.try_fold(Duration::ZERO, |longest, left| Some(longest.max(left?)))
    }

    fn slot(&mut self, node: NodeId) -> Option<&mut Ballot> {
        self.ballots.iter_mut().find(|(each, _)| *each == node).map(|(_, ballot)| ballot)
    }
}

/// Calls one node.
fn ballot(node: NodeId, serial: u32, verb: Verb, to: &mut impl Ask) -> Ballot {
    let asked = to.ask(node, serial, verb);
    ballot_of(asked, to.now())
}

/// When a round that `begun` then gives up on a node.
fn deadline(ballot: &Ballot, terms: Terms, begun: Instant) -> Option<Instant> {
    match ballot {
        Ballot::Asked(sent) => Some(sent.after(terms.patience)),
        Ballot::Waiting => terms.placement.dial_patience(terms.patience).map(|dial| begun.after(dial)),
        _ => None,
    }
}

fn ballot_of(asked: Asked, now: Instant) -> Ballot {
    match asked {
        Asked::Sent => Ballot::Asked(now),
        Asked::Waiting => Ballot::Waiting,
        Asked::Refused(error) => Ballot::Failed(error, None),
    }
}
