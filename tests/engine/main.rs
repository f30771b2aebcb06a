//! The engine against a server that the test plays, in virtual time.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    reason = "a test may panic"
)]

mod acquiring;
mod adopting;
mod closing;
mod cluster_maps;
mod cluster_outages;
mod clusters;
mod confirming;
mod connecting;
mod dead_connections;
mod dialect;
mod early;
mod extend_verify;
mod fair;
mod groups;
mod growth;
mod idle;
mod losing;
mod moved_slots;
mod noscript;
mod owed;
mod pairing;
mod patience;
mod reasons;
mod redlock;
mod reentry;
mod releasing;
mod renewing;
mod replicas;
mod same_token;
mod sentinel_group;
mod server_errors;
mod several_slots;
mod several_slots_held;
mod shard_channels;
mod transports;
mod try_acquire;
mod validity;
mod wake_ups;

#[path = "../world/cluster.rs"]
mod cluster;
#[path = "../world/deployment.rs"]
mod deployment;
#[path = "../world/memory.rs"]
mod memory;
#[path = "../world/network.rs"]
mod network;
#[path = "../world/sentinels.rs"]
mod sentinels;
#[path = "../world/vote_groups.rs"]
mod vote_groups;
#[path = "../world/mod.rs"]
mod world;
