//! Commands about the cluster. Each fails at a server that is no node of one.

use redis_protocol::redis_keyslot;

use super::context::{Context, Outcome};
use crate::memory::{
    cluster::{Asking, ClusterNode, ClusterView, NodeName},
    reply::{ErrorReply, Reply},
};

fn view<'a>(cx: &'a Context<'_>) -> Result<&'a ClusterView, ErrorReply> {
    let disabled = || ErrorReply::new("ERR This instance has cluster support disabled");
    cx.server.cluster.as_ref().ok_or_else(disabled)
}

/// The next command in this session may use the keys of a slot that moves here.
pub(super) fn asking(cx: &mut Context<'_>, _: &[Vec<u8>]) -> Outcome {
    view(cx)?;
    if let Some(session) = cx.server.sessions.get_mut(&cx.id) {
        session.asking = Asking::Yes;
    }
    Ok(Reply::OK)
}

pub(super) fn key_slot(cx: &mut Context<'_>, arguments: &[Vec<u8>]) -> Outcome {
    view(cx)?;
    let key = arguments.first().ok_or_else(ErrorReply::syntax)?;
    Ok(Reply::Integer(redis_keyslot(key).into()))
}

pub(super) fn my_id(cx: &mut Context<'_>, _: &[Vec<u8>]) -> Outcome {
    Ok(Reply::bulk(view(cx)?.me().to_string()))
}

/// The ranges of slots, each with its master and its replicas.
pub(super) fn slots(cx: &mut Context<'_>, _: &[Vec<u8>]) -> Outcome {
    let view = view(cx)?;
    let unknown = ClusterNode::new("", 0);
    let range = |(slots, owner): (core::ops::RangeInclusive<u16>, NodeName)| {
        let bounds = [*slots.start(), *slots.end()].map(|slot| Reply::Integer(slot.into()));
        let master = (owner, view.node(owner).unwrap_or(&unknown));
        let nodes = [master].into_iter().chain(view.replicas(owner)).map(|(name, node)| describe(name, node));
        Reply::Array(bounds.into_iter().chain(nodes).collect())
    };
    Ok(Reply::Array(view.ranges().map(range).collect()))
}

fn describe(name: NodeName, node: &ClusterNode) -> Reply {
    let metadata = node.metadata.iter().map(|(kind, text)| (Reply::bulk(kind), Reply::bulk(text)));
    Reply::Array(vec![
        node.host.as_ref().map_or(Reply::Null, Reply::bulk),
        Reply::Integer(node.port.into()),
        Reply::bulk(name.to_string()),
        Reply::Map(metadata.collect()),
    ])
}
