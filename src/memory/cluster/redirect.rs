//! Whether a node serves a command.
//!
//! Source: cluster.c of Redis 7.0, `getNodeByQuery` and `clusterRedirectClient`; script.c, `scriptVerifyClusterState`.

use redis_protocol::redis_keyslot;

use super::{node::NodeName, view::ClusterView};
use crate::memory::reply::ErrorReply;

/// Why a node does not serve a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    CrossSlot,
    Unserved,
    Down,
    /// The slot moves, and some of the keys are not here.
    TryAgain,
    /// The slot moves to that node, and none of the keys is here.
    Ask(u16, NodeName),
    Moved(u16, NodeName),
}

/// What the names in a command are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Names {
    Keys,
    /// These do not move: subscribers stay at the source until the slot has another owner. They also work while the cluster is
    /// down (`cluster-allow-pubsubshard-when-down`).
    ShardChannels,
}

/// Whether the command just before, in the same session, was ASKING.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Asking {
    No,
    Yes,
}

impl Refusal {
    /// Whether this node serves a command with these keys or channels. `exists` says which keys are here.
    pub fn check<'k>(
        view: &ClusterView,
        (names, keys): (Names, impl Iterator<Item = &'k [u8]>),
        asking: Asking,
        exists: impl Fn(&[u8]) -> bool,
    ) -> Result<(), Self> {
        let mut keys = keys.peekable();
        let Some(&first) = keys.peek() else { return Ok(()) };
        let slot = redis_keyslot(first);
        let owner = view.owner(slot).ok_or(Self::Unserved)?;
        let target = view.migrating(slot).filter(|_| owner == view.me());
        let is_importing = target.is_none() && view.importing(slot).is_some();

        let (mut has_several, mut has_some, mut lacks_some) = (false, false, false);
        for key in keys {
            // The same key again is not another key.
            if key != first {
                if redis_keyslot(key) != slot {
                    return Err(Self::CrossSlot);
                }
                has_several = true;
            }
            if names == Names::Keys && (target.is_some() || is_importing) {
                let is_here = exists(key);
                has_some |= is_here;
                lacks_some |= !is_here;
            }
        }
        if names == Names::Keys && view.is_down() {
            return Err(Self::Down);
        }
        if let Some(target) = target.filter(|_| lacks_some) {
            return Err(if has_some { Self::TryAgain } else { Self::Ask(slot, target) });
        }
        if is_importing && asking == Asking::Yes {
            return if has_several && lacks_some { Err(Self::TryAgain) } else { Ok(()) };
        }
        if owner == view.me() { Ok(()) } else { Err(Self::Moved(slot, owner)) }
    }

    /// The reply to a command that is not served.
    pub fn reply(self, view: &ClusterView) -> ErrorReply {
        ErrorReply::new(match self {
            Self::CrossSlot => "CROSSSLOT Keys in request don't hash to the same slot".to_owned(),
            Self::Unserved => "CLUSTERDOWN Hash slot not served".to_owned(),
            Self::Down => "CLUSTERDOWN The cluster is down".to_owned(),
            Self::TryAgain => "TRYAGAIN Multiple keys request during rehashing of slot".to_owned(),
            Self::Ask(slot, node) => format!("ASK {slot} {}", address(view, node)),
            Self::Moved(slot, node) => format!("MOVED {slot} {}", address(view, node)),
        })
    }

    /// The error of a command that a script calls. A script does not begin while the cluster is down.
    pub fn in_script(self) -> ErrorReply {
        ErrorReply::new("ERR Script attempted to access a non local key in a cluster node")
    }
}

/// A node that is not known has neither a host nor a port.
fn address(view: &ClusterView, name: NodeName) -> String {
    let (host, port) = view.node(name).map_or((None, 0), |node| (node.host.as_deref(), node.port));
    format!("{}:{port}", host.unwrap_or_default())
}
