//! A Redis just big enough for the scripts and the handshake of this crate, in process.
//!
//! Bytes of the Redis protocol go in per session, in any chunks, and replies and pushes come out as bytes. It does no I/O and
//! reads no clock: the server's wall clock is an argument. The same inputs give the same outputs, and the whole state can
//! be cloned, compared and hashed, so that a search can walk through its states.
//!
//! The scripts are not run but transcribed into Rust and looked up by their SHA-1: a script of anybody else's is refused with
//! an error that says so, as is every command and option that is not known here. Inline commands are not understood.
//! `tests/fidelity.rs` holds it against a real server, byte by byte.
//!
//! ```
//! use redlatch::{Instant, memory::{Server, SessionId}};
//! let (mut server, id) = (Server::new(), SessionId(1));
//! server.connect(id);
//! server.receive(id, b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\nv\r\n*2\r\n$3\r\nGET\r\n$1\r\nk\r\n", Instant::from_micros(0));
//! assert_eq!(server.take_output(id), b"+OK\r\n$1\r\nv\r\n");
//! ```

mod access;
mod commands;
mod input;
mod keyspace;
mod pubsub;
mod reply;
mod scripts;
mod server;
mod session;
mod sorted_set;
mod trouble;

pub use access::User;
pub use keyspace::{Keyspace, Value};
pub use server::Server;
pub use session::SessionId;
pub use sorted_set::SortedSet;
pub use trouble::Trouble;
