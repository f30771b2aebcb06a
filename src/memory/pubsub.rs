//! Channels: subscriptions and messages.

use super::{reply::Reply, server::Server, session::SessionId};

impl Server {
    /// Sends a message to all subscribers of a channel, and returns their number. In a RESP3 session the message is a
    /// push, even if that session published it.
    pub(super) fn publish(&mut self, channel: &[u8], message: &[u8]) -> usize {
        let push = Reply::Push(vec![Reply::bulk("message"), Reply::bulk(channel), Reply::bulk(message)]);
        let listeners = self.sessions.values_mut().filter(|session| session.channels.contains(channel));
        listeners.map(|session| session.write(&Ok(push.clone()))).count()
    }

    /// SUBSCRIBE and UNSUBSCRIBE: one push per channel, with the session's number of subscriptions after it.
    pub(super) fn subscribe(&mut self, id: SessionId, channels: &[Vec<u8>], on: bool) -> Reply {
        let Some(session) = self.sessions.get_mut(&id) else { return Reply::Several(Vec::new()) };
        let word = if on { "subscribe" } else { "unsubscribe" };
        let mut pushes = Vec::new();
        let all: Vec<_>;
        let channels = if !on && channels.is_empty() {
            all = session.channels.iter().cloned().collect();
            if all.is_empty() {
                pushes.push(Reply::Push(vec![Reply::bulk(word), Reply::Null, Reply::Integer(0)]));
            }
            &all
        } else {
            channels
        };
        for channel in channels {
            if on {
                session.channels.insert(channel.clone());
            } else {
                session.channels.remove(channel);
            }
            let count = Reply::count(session.channels.len());
            pushes.push(Reply::Push(vec![Reply::bulk(word), Reply::bulk(channel), count]));
        }
        Reply::Several(pushes)
    }
}
