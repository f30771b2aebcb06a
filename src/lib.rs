//! redlatch: distributed locks on Redis, without I/O.
//!
//! This crate is the core of the npm package of the same name. It opens no socket, reads no clock, starts no timer and
//! draws no random numbers. The caller, called the driver here, passes in bytes, times and random numbers, and pulls
//! out bytes to write, the time of the next call, and events for the application. The same inputs give the same
//! outputs, natively and in WebAssembly.
//!
//! # Calling protocol
//!
//! [`Engine`] is the whole surface. Create one with a [`Policy`] and an [`Entropy`], and add each server with
//! [`Engine::add_node`]. Then repeat:
//!
//! 1. **Feed one thing.** A call of the application: [`acquire`](Engine::acquire), [`release`](Engine::release),
//!    [`extend`](Engine::extend), [`verify`](Engine::verify) or [`cancel`](Engine::cancel). Or what happened outside:
//!    [`handle_connected`](Engine::handle_connected), [`handle_bytes`](Engine::handle_bytes),
//!    [`handle_closed`](Engine::handle_closed) or [`handle_timeout`](Engine::handle_timeout).
//! 2. **Drain everything**, in any order, until each returns `None`: [`poll_event`](Engine::poll_event) (report to the
//!    application), [`poll_transmit`](Engine::poll_transmit) (write to a connection), [`poll_connect`](Engine::poll_connect)
//!    (open a connection) and [`poll_close`](Engine::poll_close) (close one).
//! 3. **Arm one timer** for [`poll_timeout`](Engine::poll_timeout), in place of the timer before.
//!
//! Take the present time, `now`, from one [`Clock`], and report its steps with
//! [`handle_clock_step`](Engine::handle_clock_step). Every method with `now` first runs the overdue timers, except those
//! which mean that something did not come in time: only [`handle_timeout`](Engine::handle_timeout) and
//! [`handle_absence`](Engine::handle_absence) run them. Draining only partly delays things, and corrupts nothing.
//!
//! # What holds, and which file keeps it
//!
//! - A client believes in a lock from the grant until `time before sending + ttl - (drift * ttl + 2 ms)`, and never longer:
//!   `quorum/lease.rs`.
//! - The loss of a lock is reported once, in time by the client's own clock, whatever the servers do: `lock/hold/mod.rs`.
//! - A reply belongs to the command that it answers, or the connection ends: `node/pipeline.rs`.
//! - No panic is reachable from bytes, options or timing: the lints in `Cargo.toml`.
//! - Work is bounded by the input: replies by [`resp::Limits`], queues by caps that surface as [`Code::Overloaded`].
//!
//! `www/guide/rules.md` has the numbered rules that comments cite, `www/guide/glossary.md` the terms.

#![cfg_attr(not(target_family = "wasm"), forbid(unsafe_code))]
#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        clippy::panic,
        clippy::as_conversions,
        reason = "a test may panic"
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
mod patience;
mod quorum;
pub mod resp;
mod script;
mod stats;
mod time;
mod timers;
mod topology;
#[cfg(target_arch = "wasm32")]
mod wasm;

pub use clock::Clock;
pub use engine::{Engine, inspect::Snapshot};
pub use entropy::{Entropy, EntropyUnavailable, Token};
pub use error::{Cause, Code, InvalidRequest, LockError, NodeError, Obstacle, ServerError, Vote};
pub use event::{Event, Loss, ReleaseOutcome};
pub use id::{ConnectionId, HandleId, NodeId, OperationId};
pub use lock::{Policy, Request};
pub use node::{Endpoint, NodeFault, NodeSnapshot, Transport};
pub use script::{
    ADOPT, EXCLUSIVE_ACQUIRE, EXCLUSIVE_RELEASE, EXTEND, FAIR_ACQUIRE, FAIR_RELEASE, KeyRole, MULTI_ACQUIRE,
    RAISE_FENCE, Script,
};
pub use stats::{Counters, Observed};
pub use time::{Duration, Instant};
#[cfg(all(target_arch = "wasm32", feature = "memory-wasm"))]
pub use wasm::MemoryServer;
#[cfg(all(target_arch = "wasm32", not(feature = "memory-wasm")))]
pub use wasm::{Core, wire};
