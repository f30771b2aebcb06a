//! One node's part in a round.

use super::ask::{Ask, Terms};
use crate::{
    error::{Cause, NodeError},
    id::NodeId,
    node::Asked,
    script::{Answer, Verb, Waiter},
    time::{Duration, Instant},
};

/// One node's part in a round.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Ballot {
    pub(crate) node: NodeId,
    /// How many keys it must confirm.
    keys: u32,
    pub(crate) vote: BallotState,
    /// When the last command was sent. Its outcome is unknown until the node answers. `None` if nothing was sent.
    sent: Option<Instant>,
    /// What the node is asked to do: the verb of the round, unless it has to take back its vote.
    verb: Verb,
    /// Whether the command was repeated because a connection had ended. That happens once (rule 17).
    repeated: bool,
    /// The server that was asked last, of those that the node stands for.
    pub(crate) server: NodeId,
    /// How often the command was redirected.
    hops: u32,
}

/// How often a command follows a redirect. The next one is a failure, which may pass.
const MOST_HOPS: u32 = 5;

const SUCCEEDED: &str = "another server took over the lock's keys after each answer";

/// The state of one node in a round.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum BallotState {
    /// To be asked once the nodes before it have granted.
    Later,
    /// Not asked on the present connection, which is being made since this listening time.
    Waiting(Instant),
    /// To be asked once the node has answered an earlier command of the lock (rule 16), since this listening time and
    /// with the patience of `Asked`.
    Behind(Instant, Option<Duration>),
    /// Asked at this listening time. The round gives up after the patience; `None` to wait for as long as the connection
    /// lives.
    Asked(Instant, Option<Duration>),
    /// Answered the command that was sent last.
    Answered(Answer),
    /// Failed. If a command was sent, its outcome is unknown.
    Failed(NodeError),
}

impl Ballot {
    /// A node that is to be asked later.
    pub(super) fn later(node: NodeId, verb: Verb, to: &impl Ask) -> Self {
        let (keys, vote) = (to.keys(node), BallotState::Later);
        Self { node, keys, vote, sent: None, verb, repeated: false, server: node, hops: 0 }
    }

    /// Asks the node.
    pub(super) fn ask(node: NodeId, serial: u32, verb: Verb, to: &mut impl Ask) -> Self {
        let mut ballot = Self::later(node, verb, to);
        ballot.send(serial, to);
        ballot
    }

    /// A ballot that counts as this answer, though the node was not asked.
    pub(super) fn assumed(self, answer: Answer, now: Instant) -> Self {
        Self { vote: BallotState::Answered(answer), sent: Some(now), ..self }
    }

    /// Sends the command, or waits until the node is ready for it. Only a release does not wait for the answer to an
    /// earlier command: the sooner it is sent, the more likely it arrives before the process ends.
    pub(super) fn send(&mut self, serial: u32, to: &mut impl Ask) {
        self.send_to(None, serial, to);
    }

    fn send_to(&mut self, instead: Option<NodeId>, serial: u32, to: &mut impl Ask) {
        if let Some(server) = to.busy(self.node)
            && !matches!(self.verb, Verb::Release(_))
        {
            self.server = server;
            self.vote = BallotState::Behind(to.listening(), to.patience(self.node));
            return;
        }
        if self.sent.is_some()
            && let Verb::Acquire(before) = &mut self.verb
        {
            // The command before may have registered the waiter.
            *before = Waiter::Registered;
        }
        let (server, asked) = to.ask(self.node, instead, serial, self.verb);
        self.server = server;
        match asked {
            Asked::Sent => {
                self.sent = Some(to.now());
                self.vote = BallotState::Asked(to.listening(), to.patience(self.node));
            }
            Asked::Waiting => self.vote = BallotState::Waiting(to.listening()),
            Asked::Refused(error) => self.vote = BallotState::Failed(error),
        }
    }

    /// Redirects count anew for the next attempt.
    pub(super) const fn begin_anew(&mut self) {
        self.hops = 0;
    }

    /// Asks the node for something other than the round's verb.
    pub(super) fn send_instead(&mut self, verb: Verb, serial: u32, to: &mut impl Ask) {
        self.verb = verb;
        self.send(serial, to);
    }

    /// The node did nothing: sends the command again. Validity still counts from the first time of sending.
    pub(super) fn send_again(&mut self, instead: Option<NodeId>, serial: u32, to: &mut impl Ask) {
        let first = self.sent;
        self.send_to(instead, serial, to);
        if matches!(self.vote, BallotState::Asked(..)) {
            self.sent = first;
        }
    }

    /// A server did nothing, and named another one for the command: the one `instead` for this time, or whichever has the
    /// slot now.
    pub(super) fn on_redirect(
        &mut self,
        instead: Option<NodeId>,
        error: &NodeError,
        serial: u32,
        to: &mut impl Ask,
    ) {
        self.hops = self.hops.saturating_add(1);
        if self.hops <= MOST_HOPS {
            self.send_again(instead, serial, to);
        } else {
            self.vote = BallotState::Failed(error.clone().into_transient());
        }
    }

    /// Another server stands for the node now. What the former one answered before others have answered does not count, and is
    /// asked again. A release stays released.
    pub(super) fn on_shifted(&mut self, serial: u32, to: &mut impl Ask) {
        if matches!((&self.vote, self.verb), (BallotState::Answered(_), Verb::Acquire(_) | Verb::Extend(_))) {
            self.ask_successor(NodeError::connection(Cause::Unknown, SUCCEEDED), serial, to);
        } else {
            self.on_ready(serial, to);
        }
    }

    /// A server answered that no longer stands for the node. What it did may stand there, or be gone with it, so the command
    /// is repeated, at whichever server stands for the node now.
    pub(super) fn on_former(&mut self, error: &NodeError, serial: u32, to: &mut impl Ask) {
        if matches!(self.vote, BallotState::Asked(..)) {
            self.ask_successor(error.clone().into_transient(), serial, to);
        }
    }

    fn ask_successor(&mut self, error: NodeError, serial: u32, to: &mut impl Ask) {
        self.repeated = true;
        self.hops = self.hops.saturating_add(1);
        if self.hops <= MOST_HOPS {
            self.send(serial, to);
        } else {
            self.vote = BallotState::Failed(error);
        }
    }

    /// The node is ready.
    pub(super) fn on_ready(&mut self, serial: u32, to: &mut impl Ask) {
        if matches!(self.vote, BallotState::Waiting(_)) {
            self.send(serial, to);
        }
    }

    /// The node has answered the command before.
    pub(super) fn on_free(&mut self, serial: u32, to: &mut impl Ask) {
        if matches!(self.vote, BallotState::Behind(..)) {
            self.send(serial, to);
        }
    }

    /// The connection ended. The token makes it harmless to ask again, so a command without an answer is repeated on a
    /// new connection, once (rule 17).
    pub(super) fn on_down(&mut self, error: &NodeError, serial: u32, to: &mut impl Ask) {
        match self.vote {
            BallotState::Behind(..) | BallotState::Asked(..)
                if !self.repeated && error.calls_for_new_connection() =>
            {
                self.repeated = true;
                self.send(serial, to);
                if let BallotState::Failed(_) = self.vote {
                    self.vote = BallotState::Failed(error.clone());
                }
            }
            BallotState::Behind(..) | BallotState::Asked(..) | BallotState::Waiting(_) => {
                self.vote = BallotState::Failed(error.clone());
            }
            BallotState::Later | BallotState::Answered(_) | BallotState::Failed(_) => {}
        }
    }

    /// The node answered, perhaps after the round had given up on it.
    pub(super) fn on_reply(&mut self, reply: Result<Answer, NodeError>) {
        let is_open = matches!(self.vote, BallotState::Asked(..) | BallotState::Failed(_));
        if is_open && self.sent.is_some() {
            self.vote = match reply {
                Ok(answer) => BallotState::Answered(answer),
                Err(error) => BallotState::Failed(error),
            };
        }
    }

    /// The listening time at which the round gives up on the node, by the terms of the vote.
    pub(super) fn deadline(&self, terms: Terms) -> Option<Instant> {
        match self.vote {
            BallotState::Behind(since, patience) | BallotState::Asked(since, patience) => {
                patience.map(|patience| since.after(patience))
            }
            BallotState::Waiting(since) if self.repeated => Some(since.after(terms.redial)),
            BallotState::Waiting(since) => terms.dial.map(|dial| since.after(dial)),
            BallotState::Later | BallotState::Answered(_) | BallotState::Failed(_) => None,
        }
    }

    /// Whether the node has to answer this command, or an earlier one of the lock.
    pub(super) const fn is_asked(&self) -> bool {
        matches!(self.vote, BallotState::Behind(..) | BallotState::Asked(..))
    }

    /// Whether the node is still to answer, or to be asked.
    pub(super) const fn is_pending(&self) -> bool {
        self.is_asked() || matches!(self.vote, BallotState::Later | BallotState::Waiting(_))
    }

    /// Begins the patience with the node anew.
    pub(super) fn wait_on(&mut self, listening: Instant) {
        if let BallotState::Behind(since, _) | BallotState::Asked(since, _) = &mut self.vote {
            *since = listening;
        }
    }

    /// Gives up on the node. A late answer still counts.
    pub(super) fn give_up(&mut self) {
        let text = match self.vote {
            BallotState::Behind(_, Some(patience)) | BallotState::Asked(_, Some(patience)) => {
                ["no answer within ", &patience.as_millis().to_string(), " ms (nodeTimeout)"].concat()
            }
            _ if self.repeated => {
                "the connection ended without an answer, and no new one was ready in time".to_owned()
            }
            _ => "no connection was ready in time for the vote".to_owned(),
        };
        self.vote = BallotState::Failed(NodeError::connection(Cause::Unknown, &text));
    }

    /// The node's answer, and when its command was sent.
    pub(crate) fn answer(&self) -> Option<(Instant, Answer)> {
        match self.vote {
            BallotState::Answered(answer) => self.sent.map(|sent| (sent, answer)),
            _ => None,
        }
    }

    /// Whether the answer confirms the command for all keys.
    pub(super) fn is_yes(&self, answer: Answer) -> bool {
        match answer {
            Answer::Fence(_) => true,
            Answer::Wait { .. } => false,
            Answer::Flag(flag) => flag,
            Answer::Count(count) => count == self.keys.into(),
        }
    }

    /// Whether the node answered yes.
    pub(super) fn has_granted(&self) -> bool {
        self.answer().is_some_and(|(_, answer)| self.is_yes(answer))
    }

    /// Whether the command was repeated on a new connection, so that the first one may have been carried out too.
    pub(super) const fn is_repeated(&self) -> bool {
        self.repeated
    }

    /// Whether the node may have run the command. `registered` if a denial leaves a waiter registration there.
    pub(super) fn may_have_written(&self, registered: bool) -> bool {
        match self.vote {
            BallotState::Answered(Answer::Wait { .. }) => registered,
            _ => self.sent.is_some(),
        }
    }

    /// Whether the node may hold a grant. Not after a transient error, which a script raises before it writes (rule 3), unless
    /// the server says that it ran.
    pub(super) fn may_hold(&self) -> bool {
        let refused = matches!(&self.vote, BallotState::Failed(NodeError::Server(error)) if error.transient && !error.ran);
        (self.repeated || !refused) && self.may_have_written(false)
    }
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::*;
    use crate::error::ServerError;

    #[test]
    fn a_server_may_hold_a_grant_unless_it_refused_before_it_ran() {
        for (transient, ran, may_hold) in
            [(true, false, false), (true, true, true), (false, false, true), (false, true, true)]
        {
            let error = ServerError { prefix: String::new(), message: String::new(), transient, ran };
            let ballot = Ballot {
                node: NodeId(0),
                keys: 1,
                vote: BallotState::Failed(NodeError::Server(Rc::new(error))),
                sent: Some(Instant::default()),
                verb: Verb::Acquire(Waiter::Absent),
                repeated: false,
                server: NodeId(0),
                hops: 0,
            };
            assert_eq!(ballot.may_hold(), may_hold);
            assert!(!Ballot { sent: None, ..ballot }.may_hold(), "nothing was sent");
        }
    }
}
