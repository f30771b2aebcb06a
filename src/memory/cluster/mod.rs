//! What a node of a Redis Cluster knows of its cluster.
//!
//! Each server has a view of its own, and answers by it. Views differ while a slot moves and after a failover. Servers do
//! not talk to each other: their owner changes each view, in any order.
//!
//! A slot moves in the steps of `redis-cli --cluster reshard`. The target imports it (`ClusterView::set_importing`), and the
//! source migrates it (`ClusterView::set_migrating`). Its keys move one by one (`Server::take_key`, `Server::put_key`). Then
//! each view gets the new owner (`ClusterView::set_owner`), that of the target first.
//!
//! After a failover, the new master has the keys that were copied to it before (`Server::copy_keys`), and each view that
//! has heard of it names that master (`ClusterView::promote`).
//!
//! Not supported: READONLY, and what nodes say to each other, except that a node keeps the messages that it published for the
//! others. Those on shard channels it does not: the replicas of a shard get none.

mod node;
mod owners;
mod redirect;
mod view;

pub use node::{ClusterNode, NodeName};
pub(super) use redirect::{Asking, Names, Refusal};
pub use view::ClusterView;

#[cfg(test)]
mod tests;
