//! The commands of a lock that are in flight (rule 16: at most one for each node, which a release may follow at once).

use crate::{id::NodeId, quorum::Heard};

/// The nodes that may still answer a command of the lock, each with the serial number of the last round that was sent to
/// it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct InFlight(Vec<(NodeId, u32)>);

impl InFlight {
    /// A command was sent to this node.
    pub(super) fn add(&mut self, node: NodeId, serial: u32) {
        self.0.retain(|&(each, _)| each != node);
        self.0.push((node, serial));
    }

    /// Whether this node may still answer a command.
    pub(super) fn has(&self, node: NodeId) -> bool {
        self.0.iter().any(|&(each, _)| each == node)
    }

    /// Removes the command that this news ends. Returns its node if the connection lives.
    pub(super) fn end(&mut self, heard: &Heard<'_>) -> Option<NodeId> {
        let before = self.0.len();
        match *heard {
            Heard::Down { node, .. } => {
                self.0.retain(|&(each, _)| each != node);
                None
            }
            Heard::Reply(node, serial, _)
            | Heard::Repeat(node, serial)
            | Heard::Redirected(node, serial, ..)
            | Heard::Unanswered(node, serial, _)
            | Heard::Former(node, serial, _) => {
                self.0.retain(|each| *each != (node, serial));
                (self.0.len() < before).then_some(node)
            }
            Heard::Ready(_) | Heard::Free(_) | Heard::Timeout => None,
        }
    }
}
