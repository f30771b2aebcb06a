//! Channels: subscriptions and messages.

use super::{reply::Reply, server::Server, session::SessionId};

impl Server {
    /// The messages that this node of a cluster published since the last call: each is to be delivered to every other node.
    /// They are part of the server's state until then.
    pub fn take_broadcasts(&mut self) -> Vec<(Vec<u8>, Vec<u8>)> {
        core::mem::take(&mut self.broadcasts)
    }

    /// Sends a message of another node to the subscribers here.
    pub fn deliver(&mut self, channel: &[u8], message: &[u8]) {
        self.push(channel, message);
    }

    /// Sends a message to all subscribers of a channel, and returns the number of those here.
    pub(super) fn publish(&mut self, channel: &[u8], message: &[u8]) -> usize {
        if self.cluster.is_some() {
            self.broadcasts.push((channel.to_vec(), message.to_vec()));
        }
        self.push(channel, message)
    }

    /// In a RESP3 session the message is a push, even if that session published it.
    fn push(&mut self, channel: &[u8], message: &[u8]) -> usize {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::cluster::{ClusterView, NodeName};
    use crate::{resp::encode, time::Instant};

    fn run(server: &mut Server, words: &[&str]) -> Vec<u8> {
        let mut bytes = Vec::new();
        encode(&words.iter().map(|word| word.as_bytes()).collect::<Vec<_>>(), &mut bytes);
        server.receive(SessionId(1), &bytes, Instant::from_micros(0));
        server.take_output(SessionId(1))
    }

    #[test]
    fn a_message_is_for_all_nodes_of_a_cluster() {
        let [mut here, mut there, mut alone] = [0, 1, 2].map(|_| Server::new());
        for server in [&mut here, &mut there, &mut alone] {
            server.connect(SessionId(1));
        }
        here.set_cluster(Some(ClusterView::new(NodeName(1))));
        there.set_cluster(Some(ClusterView::new(NodeName(2))));
        run(&mut there, &["SUBSCRIBE", "c"]);
        assert_eq!(run(&mut here, &["PUBLISH", "c", "m"]), b":0\r\n", "it counts the subscribers here");
        for (channel, message) in here.take_broadcasts() {
            there.deliver(&channel, &message);
        }
        assert_eq!(there.take_output(SessionId(1)), b"*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$1\r\nm\r\n");
        assert_eq!((here.take_broadcasts(), there.take_broadcasts()), (vec![], vec![]));
        run(&mut alone, &["PUBLISH", "c", "m"]);
        assert_eq!(alone.take_broadcasts(), [], "a server alone has nobody to tell");
    }
}
