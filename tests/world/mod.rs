//! The world that all Rust tests share: time, entropy, requests, the engine drained, and commands as a server reads them.
//!
//! - `client.rs`: an engine whose servers the test itself plays, reply by reply.
//! - `drain.rs`: everything that an engine has to say, in the order of the TypeScript shell.
//! - `command.rs`: commands and script calls, read by the layout of the script's KEYS; replies to them.
//! - `listening.rs`: for how long a client has listened, computed independently of the engine.
//! - `request.rs`: requests and times. `seeded.rs`: entropy that repeats.
//!
//! `memory.rs` (memory servers), `network.rs` (clients and servers with links that delay and fail) and `deployment.rs`
//! (servers that may stop, as `cluster.rs`, `sentinels.rs` and `vote_groups.rs` have them) need the crate's `memory` feature, which the fuzz
//! targets are built without: a test that wants them names them beside this module.
#![allow(dead_code, unused_imports, reason = "every test uses a part of it")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::panic,
    clippy::missing_panics_doc,
    missing_docs,
    reason = "a test may panic"
)]

mod client;
mod command;
mod drain;
mod listening;
mod request;
mod seeded;

use redlatch::{Entropy, EntropyUnavailable, Event, LockError};

pub use client::{Client, HELLO_REPLY, NO_CHANNELS, SUBSCRIBED};
pub use command::{Command, ScriptCall, Verb, read_commands, split_words, token_of, write_command};
pub use drain::{Output, next_io, next_output};
pub use listening::Listening;
pub use request::{LOOK, at, fair, ms, one_attempt, renewed, request, waiting};
pub use seeded::Seeded;

/// The error of an acquire that failed.
pub fn failure(event: Event) -> LockError {
    match event {
        Event::Failed { failure, .. } => failure,
        other => panic!("{other:?}"),
    }
}
