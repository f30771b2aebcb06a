//! redlatch: distributed locks on Redis, without I/O.
//!
//! This crate is the brain of the npm package of the same name. It opens no socket, reads no clock, starts no timer and draws
//! no randomness of its own: bytes, times and random numbers are handed in, and what is to be sent, when to call again and
//! what the application is to hear are pulled out. The same inputs give the same outputs, natively and in WebAssembly.
//!
//! [`Engine`] is the whole surface. The application's verbs (`acquire`, `release`, `extend`, `verify`, `cancel`) return ids; the world
//! is told with `handle_*`; the consequences are pulled with `poll_*`. **Feed one thing, then drain everything.**
//!
//! What holds, and where it is kept:
//!
//! - A lock is believed in from the grant until `time before sending + ttl - (drift * ttl + 2 ms)`, and never longer: `lock/lease.rs`.
//! - The loss of a lock is told once, in time by our own clock, whatever the servers do: `lock/held.rs`.
//! - A reply belongs to the command it answers, or the connection is given up: `node/pipeline.rs`.
//! - No panic is reachable from bytes, options or timing: the lints in `Cargo.toml`.
//! - Work is bounded by the input: replies by [`resp::Limits`], queues by caps that surface as [`Code::Overloaded`].

#![cfg_attr(not(target_family = "wasm"), forbid(unsafe_code))]
#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        clippy::panic,
        clippy::as_conversions,
        reason = "tests may fail"
    )
)]

mod clock;
mod engine;
mod entropy;
mod error;
mod event;
mod handles;
mod id;
mod index;
mod lock;
#[cfg(feature = "memory")]
pub mod memory;
mod node;
mod quorum;
pub mod resp;
mod script;
mod stats;
mod time;
mod timers;
mod topology;
#[cfg(all(target_arch = "wasm32", not(feature = "memory-wasm")))]
mod wasm;
#[cfg(all(target_arch = "wasm32", feature = "memory-wasm"))]
#[path = "wasm/memory.rs"]
mod wasm;

pub use clock::Clock;
pub use engine::{Engine, inspect::Snapshot};
pub use entropy::{Entropy, EntropyUnavailable, Token};
pub use error::{Code, InvalidRequest, LockError, NodeError, ServerError, Vote};
pub use event::{Event, Loss, ReleaseOutcome};
pub use id::{ConnectionId, HandleId, NodeId, OperationId};
pub use lock::{Policy, Request};
pub use node::{Endpoint, NodeSnapshot, Transport};
pub use script::{EXCLUSIVE_ACQUIRE, EXCLUSIVE_RELEASE, EXTEND, FAIR_ACQUIRE, FAIR_RELEASE, KeyRole, Script};
pub use stats::Counters;
pub use time::{Duration, Instant};
#[cfg(all(target_arch = "wasm32", not(feature = "memory-wasm")))]
pub use wasm::Core;
#[cfg(all(target_arch = "wasm32", feature = "memory-wasm"))]
pub use wasm::MemoryServer;
