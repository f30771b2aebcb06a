//! Channels: subscriptions and messages.

use redis_protocol::redis_keyslot;

use super::{reply::Reply, scope::Scope, server::Server, session::SessionId};

impl Server {
    /// The messages that this node of a cluster published since the last call: each is to be delivered to every other node.
    /// They are part of the server's state until then.
    pub fn take_broadcasts(&mut self) -> Vec<(Vec<u8>, Vec<u8>)> {
        core::mem::take(&mut self.broadcasts)
    }

    /// Sends a message of another node to the subscribers here.
    pub fn deliver(&mut self, channel: &[u8], message: &[u8]) {
        self.push(Scope::Everywhere, channel, message);
    }

    /// Sends a message to all subscribers of a channel, and returns the number of those here.
    pub(super) fn publish(&mut self, scope: Scope, channel: &[u8], message: &[u8]) -> usize {
        if self.cluster.is_some() && scope == Scope::Everywhere {
            self.broadcasts.push((channel.to_vec(), message.to_vec()));
        }
        self.push(scope, channel, message)
    }

    /// In a RESP3 session the message is a push, even if that session published it.
    fn push(&mut self, scope: Scope, channel: &[u8], message: &[u8]) -> usize {
        let [word, ..] = scope.words();
        let push = Reply::Push(vec![Reply::bulk(word), Reply::bulk(channel), Reply::bulk(message)]);
        let listeners = self
            .sessions
            .values_mut()
            .filter_map(|session| session.channels_of(scope).contains(channel).then_some(session));
        listeners.map(|session| session.write(&Ok(push.clone()))).count()
    }

    /// SUBSCRIBE and UNSUBSCRIBE, and the same for shard channels: one push per channel, with the session's number of
    /// subscriptions of that scope after it.
    pub(super) fn subscribe(&mut self, scope: Scope, id: SessionId, channels: &[Vec<u8>], on: bool) -> Reply {
        let Some(session) = self.sessions.get_mut(&id) else { return Reply::Several(Vec::new()) };
        let subscribed = session.channels_of(scope);
        let [_, begins, ends] = scope.words();
        let word = if on { begins } else { ends };
        let mut pushes = Vec::new();
        let all: Vec<_>;
        let channels = if !on && channels.is_empty() {
            all = subscribed.iter().cloned().collect();
            if all.is_empty() {
                pushes.push(Reply::Push(vec![Reply::bulk(word), Reply::Null, Reply::Integer(0)]));
            }
            &all
        } else {
            channels
        };
        for channel in channels {
            if on {
                subscribed.insert(channel.clone());
            } else {
                subscribed.remove(channel);
            }
            let count = Reply::count(subscribed.len());
            pushes.push(Reply::Push(vec![Reply::bulk(word), Reply::bulk(channel), count]));
        }
        Reply::Several(pushes)
    }

    /// Ends the subscriptions to channels of slots that have left this node, in the order in which they left, and tells their
    /// sessions.
    pub(super) fn end_lost_subscriptions(&mut self) {
        let Some(view) = &mut self.cluster else { return };
        for slots in view.take_lost() {
            for session in self.sessions.values_mut() {
                let slot = |channel: &Vec<u8>| redis_keyslot(channel);
                let is_lost = |channel: &&Vec<u8>| slots.contains(&slot(channel));
                let mut lost: Vec<_> = session.shard_channels.iter().filter(is_lost).cloned().collect();
                lost.sort_by_key(slot);
                for channel in lost {
                    session.shard_channels.remove(&channel);
                    let [.., word] = Scope::Shard.words();
                    let count = Reply::count(session.shard_channels.len());
                    session.write(&Ok(Reply::Push(vec![Reply::bulk(word), Reply::bulk(channel), count])));
                }
            }
        }
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

    #[test]
    fn a_shard_message_stays_and_its_subscription_ends_with_the_slot() {
        let (me, other) = (NodeName(1), NodeName(2));
        let mut server = Server::new();
        server.connect(SessionId(1));
        let mut view = ClusterView::new(me);
        view.set_owner(0..=16_383, Some(me));
        server.set_cluster(Some(view));
        run(&mut server, &["HELLO", "3"]);
        run(&mut server, &["SSUBSCRIBE", "c"]);
        assert!(run(&mut server, &["SPUBLISH", "c", "m"]).ends_with(b"$1\r\nm\r\n:1\r\n"));
        assert_eq!(server.take_broadcasts(), []);
        let slot = redis_keyslot(b"c");
        server.cluster_mut().unwrap().set_owner(slot..=slot, Some(other));
        assert!(server.sessions_with_output().eq([SessionId(1)]));
        assert_eq!(server.take_output(SessionId(1)), b">3\r\n$12\r\nsunsubscribe\r\n$1\r\nc\r\n:0\r\n");
    }
}
