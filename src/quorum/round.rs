//! One round: a command to every node of a placement, and a ballot for each.

use super::{
    ask::{Ask, Terms},
    ballot::{Ballot, BallotState},
    tally::{Tally, Verdict},
};
use crate::{
    error::NodeError,
    id::NodeId,
    script::{Answer, Verb},
    time::{Duration, Instant},
};

/// What a round learns about a node.
#[derive(Debug)]
pub(crate) enum Heard<'a> {
    /// A server is ready for commands.
    Ready(NodeId),
    /// Another server stands for the node now. Without votes: for some of the nodes.
    Shifted(NodeId),
    /// The node has answered the lock's last command.
    Free(NodeId),
    /// The connection to a server ended or could not be made.
    Down(NodeId, &'a NodeError),
    /// The command of the round with this serial number will get no answer from the node, whose connection lives.
    Unanswered(NodeId, u32, &'a NodeError),
    /// The node answered the round with this serial number.
    Reply(NodeId, u32, Result<Answer, NodeError>),
    /// A server of the node did nothing, and redirected the command of the round with this serial number: to the server for
    /// this time, or to whichever has the slot now.
    Redirected(NodeId, u32, Option<NodeId>, &'a NodeError),
    /// The round with this serial number was answered by a server that no longer stands for the node.
    Former(NodeId, u32, &'a NodeError),
    /// The node did nothing, and gets the command of the round with this serial number again.
    Repeat(NodeId, u32),
    /// The round's deadline has passed.
    Timeout,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Round {
    serial: u32,
    pub(crate) verb: Verb,
    terms: Terms,
    ballots: Vec<Ballot>,
}

impl Round {
    /// Asks every node at once (rule 3), or one after the other if the placement takes the lock so (rule 12).
    pub(crate) fn start(verb: Verb, serial: u32, terms: Terms, to: &mut impl Ask) -> Self {
        let in_turn = terms.placement.grants_in_turn() && matches!(verb, Verb::Acquire(_));
        let mut ballots = Vec::with_capacity(terms.placement.count());
        for node in terms.placement.nodes() {
            ballots.push(if in_turn && !ballots.is_empty() {
                Ballot::later(node, verb, to)
            } else {
                Ballot::ask(node, serial, verb, to)
            });
        }
        Self { serial, verb, terms, ballots }
    }

    /// Asks the nodes that may hold a grant of `attempt`. The others count as if they had answered that they hold
    /// nothing.
    pub(crate) fn start_where_held(attempt: &Self, verb: Verb, serial: u32, to: &mut impl Ask) -> Self {
        let mut round = Self { serial, verb, ..attempt.clone() };
        for slot in &mut round.ballots {
            *slot = if slot.may_hold() {
                Ballot::ask(slot.node, serial, verb, to)
            } else {
                slot.clone().assumed(Answer::Count(0), to.now())
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
        let serial = self.serial;
        match heard {
            Heard::Ready(server) => self.on(server, |ballot| ballot.on_ready(serial, to)),
            Heard::Shifted(node) if self.has_votes() => self.at(node, |ballot| ballot.on_shifted(serial, to)),
            Heard::Shifted(_) => self.ballots.iter_mut().for_each(|ballot| ballot.on_ready(serial, to)),
            Heard::Free(node) => self.at(node, |ballot| ballot.on_free(serial, to)),
            Heard::Down(server, error) => self.on(server, |ballot| ballot.on_down(error, serial, to)),
            Heard::Timeout => self.expire(to),
            Heard::Reply(node, of, reply) if self.is(of) => {
                self.on_reply(node, reply);
                self.ask_next(to);
            }
            Heard::Unanswered(node, of, error) if self.is(of) => {
                self.at(node, |ballot| ballot.on_down(error, serial, to));
            }
            Heard::Redirected(node, of, instead, error) if self.is(of) => {
                self.at(node, |ballot| ballot.on_redirect(instead, error, serial, to));
            }
            Heard::Former(node, of, error) if self.is(of) => {
                self.at(node, |ballot| ballot.on_former(error, serial, to));
            }
            Heard::Repeat(node, of) if self.is(of) => {
                self.at(node, |ballot| ballot.send_again(None, serial, to));
            }
            _ => return false,
        }
        true
    }

    /// A node answered, perhaps after the round had given up on it.
    pub(crate) fn on_reply(&mut self, node: NodeId, reply: Result<Answer, NodeError>) {
        self.at(node, |ballot| ballot.on_reply(reply));
    }

    /// Asks the next node, if all before it have granted.
    fn ask_next(&mut self, to: &mut impl Ask) {
        let serial = self.serial;
        let next = self.ballots.iter_mut().find(|ballot| !ballot.has_granted());
        if let Some(ballot) = next.filter(|ballot| ballot.vote == BallotState::Later) {
            ballot.send(serial, to);
        }
    }

    /// Asks one node for something other than the round's verb.
    pub(crate) fn ask_instead(&mut self, node: NodeId, verb: Verb, to: &mut impl Ask) {
        let serial = self.serial;
        self.at(node, |ballot| ballot.send_instead(verb, serial, to));
    }

    /// Asks the nodes with transient errors again, except those that still may answer the last command (rule 16): late
    /// answers count as well.
    pub(crate) fn ask_failed_again(&mut self, to: &mut impl Ask) {
        let serial = self.serial;
        for ballot in &mut self.ballots {
            if matches!(&ballot.vote, BallotState::Failed(error) if !error.is_permanent())
                && to.busy(ballot.node).is_none()
            {
                ballot.begin_anew();
                ballot.send(serial, to);
            }
        }
    }

    /// The listening time at which the round next gives up on a node.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.ballots.iter().filter_map(|ballot| ballot.deadline(self.terms)).min()
    }

    /// Gives up on the nodes whose deadline has passed. An extension waits on for those that were asked: they get no
    /// other command before they answer, and a late "yes" counts. Meanwhile it asks the failed nodes again.
    fn expire(&mut self, to: &mut impl Ask) {
        let terms = self.terms;
        let extends = matches!(self.verb, Verb::Extend(_));
        for ballot in &mut self.ballots {
            if ballot.deadline(terms).is_none_or(|deadline| deadline > to.believed()) {
                continue;
            }
            if extends && ballot.is_asked() {
                ballot.wait_on(to.listening());
            } else {
                ballot.give_up();
            }
        }
        if extends && self.is_asking() {
            self.ask_failed_again(to);
        }
    }

    /// The votes so far.
    pub(crate) fn tally(&self) -> Tally {
        let mut tally = Tally::default();
        for ballot in &self.ballots {
            let votes = match ballot.vote {
                BallotState::Failed(_) => &mut tally.failed,
                BallotState::Answered(answer) if ballot.is_yes(answer) => &mut tally.yes,
                BallotState::Answered(_) => &mut tally.no,
                _ => &mut tally.pending,
            };
            *votes = votes.saturating_add(1);
        }
        tally
    }

    /// The verdict of the votes so far.
    pub(crate) fn verdict(&self) -> Verdict {
        self.tally().verdict(self.terms.placement.needed())
    }

    pub(crate) fn ballots(&self) -> &[Ballot] {
        &self.ballots
    }

    /// A node's answer, and when its command was sent.
    pub(crate) fn answer(&self, node: NodeId) -> Option<(Instant, Answer)> {
        self.answers().find_map(|(each, sent, answer)| (each == node).then_some((sent, answer)))
    }

    /// The answers so far, each with the time at which its command was sent.
    pub(crate) fn answers(&self) -> impl Iterator<Item = (NodeId, Instant, Answer)> {
        self.ballots
            .iter()
            .filter_map(|ballot| ballot.answer().map(|(sent, answer)| (ballot.node, sent, answer)))
    }

    /// When the first of the answered commands was sent.
    pub(crate) fn first_sent(&self) -> Option<Instant> {
        self.answers().map(|(_, sent, _)| sent).min()
    }

    /// Whether an answer is still pending.
    pub(crate) fn is_asking(&self) -> bool {
        self.ballots.iter().any(Ballot::is_asked)
    }

    /// Whether all that this voter may have is still to be answered, or to be asked for.
    pub(crate) fn is_pending(&self, voter: NodeId) -> bool {
        let of_others = |ballot: &Ballot| self.terms.placement.has_votes() && ballot.node != voter;
        self.ballots.iter().all(|ballot| of_others(ballot) || ballot.is_pending())
    }

    /// How many nodes could not be asked, or failed to answer.
    pub(crate) fn missing(&self) -> usize {
        let is_missing =
            |ballot: &&Ballot| matches!(ballot.vote, BallotState::Waiting(_) | BallotState::Failed(_));
        self.ballots.iter().filter(is_missing).count()
    }

    /// The first node that failed, and its error.
    pub(crate) fn error(&self) -> Option<(NodeId, &NodeError)> {
        self.errors().next()
    }

    fn errors(&self) -> impl Iterator<Item = (NodeId, &NodeError)> {
        self.ballots.iter().filter_map(|ballot| match &ballot.vote {
            BallotState::Failed(error) => Some((ballot.server, error)),
            _ => None,
        })
    }

    /// The failed nodes that it could help to ask again.
    pub(crate) fn recoverable(&self) -> impl Iterator<Item = (NodeId, &NodeError)> {
        self.errors().filter(|(_, error)| !error.is_permanent())
    }

    /// Whether the vote cannot be won because of permanent errors. A full pipeline counts as one: waiters that ask
    /// again must not add to it.
    pub(crate) fn is_permanently_unreachable(&self) -> bool {
        let is_permanent = |error: &NodeError| error.is_permanent() || *error == NodeError::Overloaded;
        let failed = self.errors().filter(|(_, error)| is_permanent(error)).count();
        failed > self.ballots.len().saturating_sub(self.terms.placement.needed())
    }

    /// Whether so many nodes failed, or lost the connection before an answer, that the others cannot grant.
    pub(crate) fn is_faulty(&self) -> bool {
        let is_faulty = |ballot: &&Ballot| match ballot.vote {
            BallotState::Failed(_) => true,
            BallotState::Answered(_) => false,
            _ => ballot.is_repeated(),
        };
        let failed = self.ballots.iter().filter(is_faulty).count();
        failed > self.ballots.len().saturating_sub(self.terms.placement.needed())
    }

    /// Whether any node may have run the command. `registered` if a denial leaves a waiter registration on the node.
    pub(crate) fn may_have_written(&self, registered: bool) -> bool {
        self.ballots.iter().any(|ballot| ballot.may_have_written(registered))
    }

    /// Whether any node may hold a grant.
    pub(crate) fn may_hold(&self) -> bool {
        self.ballots.iter().any(Ballot::may_hold)
    }

    /// The longest hint among the denials; `None` if one of them is "for ever".
    pub(crate) fn longest_wait(&self) -> Option<Duration> {
        let mut waits = self.answers().filter_map(|(_, _, answer)| match answer {
            Answer::Wait { left, .. } => Some(left),
            _ => None,
        });
        waits.try_fold(Duration::ZERO, |longest, left| Some(longest.max(left?)))
    }

    /// Whether a node was asked again after its connection had ended: then "not yours" may mean that the first command
    /// deleted the keys.
    pub(crate) fn is_repeated(&self) -> bool {
        self.ballots.iter().any(Ballot::is_repeated)
    }

    /// The first node that denied.
    pub(crate) fn denier(&self) -> Option<NodeId> {
        self.answers().find_map(|(node, _, answer)| matches!(answer, Answer::Wait { .. }).then_some(node))
    }

    /// Whether the nodes are independent servers, each of which has a vote.
    pub(crate) const fn has_votes(&self) -> bool {
        self.terms.placement.has_votes()
    }

    /// The largest fence among the grants; 0 if there is none.
    pub(crate) fn largest_fence(&self) -> u64 {
        let fence = |(_, _, answer)| if let Answer::Fence(fence) = answer { fence } else { 0 };
        self.answers().map(fence).max().unwrap_or_default()
    }

    fn at(&mut self, node: NodeId, change: impl FnOnce(&mut Ballot)) {
        if let Some(ballot) = self.ballots.iter_mut().find(|ballot| ballot.node == node) {
            change(ballot);
        }
    }

    /// Changes the ballots of the nodes for which this server stands, or stood when it was asked.
    fn on(&mut self, server: NodeId, change: impl FnMut(&mut Ballot)) {
        self.ballots.iter_mut().filter(|ballot| ballot.server == server).for_each(change);
    }
}
