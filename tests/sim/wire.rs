//! A connection from the client's end: what was written on it about which lock, and which reply is next.

use std::collections::{BTreeSet, VecDeque};

use redis_protocol::redis_keyslot;
use redlatch::{
    Instant, KeyRole,
    resp::{Limits, Reply, Scanner},
};

use crate::{routes::CommandOf, world::ScriptCall};

/// What a client wrote about a lock, in a script call.
#[derive(Clone)]
pub struct Sent {
    pub call: ScriptCall,
    pub number: u64,
    pub at: Instant,
    /// Which node of a cluster had the lock's slot, as the client knew.
    pub epoch: u32,
    /// Whether it was sent behind ASKING, to a node to which the slot moves.
    pub asking: bool,
}

/// A command that awaits its reply.
pub enum Asked {
    /// A call, with its locks.
    Locks(Vec<Sent>),
    Replicas,
    /// The client's request for the map with this number.
    Map(u64),
    Asking,
    /// A push says that the subscription has begun.
    Subscribe,
    /// So many more pushes say that the subscription to this channel has ended.
    Unsubscribe(Vec<u8>, usize),
}

/// A connection, from the client's end.
pub struct Wire {
    pub scanner: Scanner,
    /// Whether the handshake is over: the first call was written.
    pub greeted: bool,
    /// Whether a reply did not match its call: no further reply counts (rule 7).
    pub broken: bool,
    /// Commands without a reply, in the order in which they were written.
    pub calls: VecDeque<Asked>,
    /// What was answered with yes, and counts once a replica confirms it.
    pub unconfirmed: Vec<Sent>,
    /// The token and the claim of each lock that was released.
    pub released: BTreeSet<(Vec<u8>, Vec<u8>)>,
}

impl Default for Wire {
    fn default() -> Self {
        let scanner = Scanner::new(Limits::default());
        let (calls, unconfirmed, released) = (VecDeque::new(), Vec::new(), BTreeSet::new());
        Self { scanner, greeted: false, broken: false, calls, unconfirmed, released }
    }
}

impl Asked {
    pub fn locks(&self) -> &[Sent] {
        match self {
            Self::Locks(locks) => locks,
            _ => &[],
        }
    }
}

/// A push arrives: it may answer the next of the commands.
pub fn answer_by_push(calls: &mut VecDeque<Asked>, push: &[Reply<'_>]) {
    let [Reply::Bulk(word), Reply::Bulk(of), ..] = push else { return };
    let is_over = match (*word, calls.front_mut()) {
        (b"ssubscribe", Some(Asked::Subscribe)) => true,
        (b"sunsubscribe", Some(Asked::Unsubscribe(channel, left))) if channel == of => {
            *left -= 1;
            *left == 0
        }
        _ => false,
    };
    if is_over {
        calls.pop_front();
    }
}

impl Wire {
    /// Whether a call of this client about the same lock waits for its reply. A release ends the lock: a later one may have its
    /// token. So may one that began when the other failed, with a claim of its own.
    pub fn is_asking(&self, client: usize, call: &ScriptCall) -> bool {
        let lock = owned(client, call);
        let about = |sent: &&Sent| owned(client, &sent.call) == lock && sent.call.claim() == call.claim();
        self.unconfirmed
            .iter()
            .chain(self.calls.iter().flat_map(Asked::locks))
            .rfind(about)
            .is_some_and(|last| !last.call.releases())
    }
}

/// A client's lock: the client, the token, and the lock keys.
pub type Owned = (usize, Vec<u8>, Vec<Vec<u8>>);

/// Whether a reply has the nonce of a call, and one result for each of its locks; of a lock alone it may be several.
pub fn is_reply(parts: &[Reply<'_>], locks: &[Sent]) -> bool {
    let is_ours = parts.first() == Some(&Reply::Bulk(locks[0].call.nonce()));
    is_ours && parts.len() > 1 && (locks.len() == 1 || parts.len() == locks.len() + 1)
}

/// The slot of a call's first lock key.
pub fn slot(call: &ScriptCall) -> u16 {
    redis_keyslot(&call.keys_of(KeyRole::Lock)[0])
}

pub fn owned(client: usize, call: &ScriptCall) -> Owned {
    let mut keys = call.keys_of(KeyRole::Lock);
    keys.sort();
    (client, call.token(), keys)
}

/// By what a command is known again when it is repeated.
pub fn command_of(call: &ScriptCall) -> CommandOf {
    (call.token(), call.keys_of(KeyRole::Lock).swap_remove(0), call.name())
}
