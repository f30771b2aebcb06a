//! One round: a command to every node of a placement, and a ballot for each.

use super::{
    ballot::{Ballot, is_yes},
    tally::{Tally, Verdict},
};
use crate::{
    error::{Cause, NodeError},
    id::NodeId,
    node::Asked,
    script::{Answer, Verb},
    time::{Duration, Instant},
    topology::Placement,
};

/// Sends the command of a round to one node. A round knows neither its lock nor the script.
pub(crate) trait Ask {
    /// The present time, taken before anything is sent.
    fn now(&self) -> Instant;

    /// Sends the command of the round with this serial number.
    fn ask(&mut self, node: NodeId, serial: u32, verb: Verb) -> Asked;
}

/// What a round learns about a node.
#[derive(Debug)]
pub(crate) enum Heard<'a> {
    /// The node is ready for commands.
    Ready(NodeId),
    /// The connection to the node ended or could not be made.
    Down(NodeId, &'a NodeError),
    /// The node answered the round with this serial number.
    Reply(NodeId, u32, Result<Answer, NodeError>),
    /// The node does not have the script that the round with this serial number uses, and did nothing.
    NoScript(NodeId, u32),
    /// The round's deadline has passed.
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
    /// Asks every node at once (rule 3).
    pub(crate) fn start(verb: Verb, serial: u32, terms: Terms, to: &mut impl Ask) -> Self {
        let mut ballots = Vec::with_capacity(terms.placement.count());
        for node in terms.placement.nodes() {
            ballots.push((node, ballot(node, serial, verb, to)));
        }
        Self { serial, verb, terms, ballots, begun: to.now() }
    }

    /// Asks the nodes that may hold a grant of `attempt`. The others count as if they had answered that they hold
    /// nothing.
    pub(crate) fn start_where_held(attempt: &Self, verb: Verb, serial: u32, to: &mut impl Ask) -> Self {
        let mut round = Self { serial, verb, begun: to.now(), ..attempt.clone() };
        for (node, slot) in &mut round.ballots {
            *slot = if slot.may_hold() {
                ballot(*node, serial, verb, to)
            } else {
                Ballot::Answered(round.begun, Answer::Count(0))
            };
        }
        round
    }

    /// Whether this round has that serial number.
    pub(crate) fn is(&self, serial: u32) -> bool {
        self.serial == serial
    }

    /// Handles what concerns this round; false if it concerns another round.
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

    /// A node answered, perhaps after the round had given up on it.
    pub(crate) fn on_reply(&mut self, node: NodeId, reply: Result<Answer, NodeError>) {
        let Some(slot) = self.slot(node) else { return };
        if let Ballot::Asked(sent) | Ballot::Failed(_, Some(sent)) = *slot {
            *slot = match reply {
                Ok(answer) => Ballot::Answered(sent, answer),
                Err(error) => Ballot::Failed(error, Some(sent)),
            };
        }
    }

    /// The node does not have the script: repeats the command, which is sent with EVAL now. Validity still counts from
    /// the first time of sending.
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

    /// Asks the nodes with transient errors again. Late answers to the first command count as well.
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

    /// Gives up on the nodes whose deadline has passed.
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
            *slot = Ballot::Failed(NodeError::connection(Cause::Unknown, &text), sent);
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

    /// The verdict of the votes so far.
    pub(crate) fn verdict(&self) -> Verdict {
        self.tally().verdict(self.terms.placement.needed())
    }

    pub(crate) fn ballots(&self) -> &[(NodeId, Ballot)] {
        &self.ballots
    }

    /// A node's answer, and when its command was sent.
    pub(crate) fn answer(&self, node: NodeId) -> Option<(Instant, Answer)> {
        self.answers().find_map(|(each, sent, answer)| (each == node).then_some((sent, answer)))
    }

    /// The answers so far, each with the time at which its command was sent.
    pub(crate) fn answers(&self) -> impl Iterator<Item = (NodeId, Instant, Answer)> {
        self.ballots.iter().filter_map(|(node, ballot)| match ballot {
            Ballot::Answered(sent, answer) => Some((*node, *sent, *answer)),
            _ => None,
        })
    }

    /// When the first of the answered commands was sent.
    pub(crate) fn first_sent(&self) -> Option<Instant> {
        self.answers().map(|(_, sent, _)| sent).min()
    }

    /// Whether an answer is still pending.
    pub(crate) fn is_asking(&self) -> bool {
        self.ballots.iter().any(|(_, ballot)| matches!(ballot, Ballot::Asked(_)))
    }

    /// How many nodes could not be asked, or failed to answer.
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

    /// The failed nodes that it could help to ask again.
    pub(crate) fn recoverable(&self) -> impl Iterator<Item = NodeId> {
        self.errors().filter(|(_, error)| !error.is_permanent()).map(|(node, _)| node)
    }

    /// Whether the vote cannot be won because of permanent errors. A full pipeline counts as one: waiters that ask
    /// again must not add to it.
    pub(crate) fn is_permanently_unreachable(&self) -> bool {
        let is_permanent = |error: &NodeError| error.is_permanent() || *error == NodeError::Overloaded;
        let failed = self.errors().filter(|(_, error)| is_permanent(error)).count();
        failed > self.ballots.len().saturating_sub(self.terms.placement.needed())
    }

    /// Whether any node may have run the command. `registered` if a denial leaves a waiter registration on the node.
    pub(crate) fn may_have_written(&self, registered: bool) -> bool {
        self.ballots.iter().any(|(_, ballot)| ballot.may_have_written(registered))
    }

    /// Whether any node may hold a grant.
    pub(crate) fn may_hold(&self) -> bool {
        self.ballots.iter().any(|(_, ballot)| ballot.may_hold())
    }

    /// The longest hint among the denials; `None` if one of them is "for ever".
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

/// Asks one node.
fn ballot(node: NodeId, serial: u32, verb: Verb, to: &mut impl Ask) -> Ballot {
    let asked = to.ask(node, serial, verb);
    ballot_of(asked, to.now())
}

/// When a round that began at `begun` gives up on a node.
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
