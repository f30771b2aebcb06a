//! A memory server: a Redis in process, as far as the scripts and the handshake of this crate need one.
//!
//! Each session takes bytes of the Redis protocol, in any chunks, and returns replies and pushes as bytes. The server
//! does no I/O and reads no clock: its wall clock is an argument. The same inputs give the same outputs. The whole
//! state can be cloned, compared and hashed, so that a search can visit every state.
//!
//! There is no Lua interpreter: the scripts are transcribed into Rust and found by their SHA-1. Any other script is
//! refused with an error that says so, and so is every unknown command and option. Inline commands are not supported.
//! `tests/fidelity.rs` compares the replies with those of a real server, byte by byte.
//!
//! A server is a node of a Redis Cluster if it has a [`ClusterView`], and a sentinel if it watches masters
//! ([`Server::watch`]).
//!
//! ```
//! use redlatch::{Instant, memory::{Server, SessionId}};
//! let (mut server, id) = (Server::new(), SessionId(1));
//! server.connect(id);
//! server.receive(id, b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\nv\r\n*2\r\n$3\r\nGET\r\n$1\r\nk\r\n", Instant::from_micros(0));
//! assert_eq!(server.take_output(id), b"+OK\r\n$1\r\nv\r\n");
//! ```

mod access;
mod cluster;
mod commands;
mod input;
mod keyspace;
mod migration;
mod pubsub;
mod reply;
mod scope;
mod scripts;
mod sentinel;
mod server;
mod session;
mod sorted_set;
mod trouble;

pub use access::User;
pub use cluster::{ClusterNode, ClusterView, NodeName};
pub use keyspace::{Keyspace, Value};
pub use migration::MovingKey;
pub use server::Server;
pub use session::SessionId;
pub use sorted_set::SortedSet;
pub use trouble::Trouble;
