//! The commands of a lock that are in flight (rule 16: at most one for each node, which a release may follow at once).

use crate::{id::NodeId, quorum::Heard};

/// The commands that may still be answered: the last one of each node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct InFlight(Vec<Sent>);

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Sent {
    node: NodeId,
    server: NodeId,
    /// The serial number of its round.
    serial: u32,
}

impl InFlight {
    /// A command was sent to this node, which the server stands for.
    pub(super) fn add(&mut self, node: NodeId, server: NodeId, serial: u32) {
        self.0.retain(|sent| sent.node != node);
        self.0.push(Sent { node, server, serial });
    }

    /// The server that may still answer a command to this node.
    pub(super) fn server(&self, node: NodeId) -> Option<NodeId> {
        self.0.iter().find(|sent| sent.node == node).map(|sent| sent.server)
    }

    /// Removes the commands that this news ends. Returns the node of one whose connection lives.
    pub(super) fn end(&mut self, heard: &Heard<'_>) -> Option<NodeId> {
        let before = self.0.len();
        match *heard {
            Heard::Down(server, _) => {
                self.0.retain(|sent| sent.server != server);
                None
            }
            Heard::Reply(node, serial, _)
            | Heard::Repeat(node, serial)
            | Heard::Redirected(node, serial, ..)
            | Heard::Unanswered(node, serial, _)
            | Heard::Former(node, serial, _) => {
                self.0.retain(|sent| (sent.node, sent.serial) != (node, serial));
                (self.0.len() < before).then_some(node)
            }
            Heard::Ready(_) | Heard::Shifted(_) | Heard::Free(_) | Heard::Timeout => None,
        }
    }
}
