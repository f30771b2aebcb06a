//! The fuzz targets: one function of bytes for each, which panics if a promise is broken.
//!
//! Everything goes through the crate's public surface. Where an expectation needs a second opinion (what a
//! reply is, which command it belongs to, until when a lease counts), it is written here a second time, from
//! the specification. `tests/fuzz_seeds.rs` includes this file and replays the committed corpus with it.
#![allow(
    clippy::unwrap_used,
    clippy::unwrap_in_result,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::panic,
    clippy::missing_panics_doc,
    missing_docs,
    reason = "a panic is how a target fails"
)]

mod app;
mod call;
mod clock;
mod error_line;
mod generate;
mod keys;
mod ledger;
mod play;
mod reference;
mod resp;
mod resp_limits;
mod routed;
mod session;
mod wire;
#[path = "../../world/mod.rs"]
mod world;

pub use clock::clock;
pub use error_line::error_line;
pub use keys::keys;
pub use play::{engine, lock_fair, lock_multi, lock_redlock, lock_single};
pub use resp::{resp_encode, resp_reference, resp_split};
pub use resp_limits::resp_limits;
pub use routed::lock_routed;

/// Takes an input, and panics if a promise is broken.
pub type Target = fn(&[u8]);

/// Every target, by the name of its folder of seeds.
pub const TARGETS: [(&str, Target); 13] = [
    ("resp_split", resp_split),
    ("resp_reference", resp_reference),
    ("resp_limits", resp_limits),
    ("resp_encode", resp_encode),
    ("error_line", error_line),
    ("keys", keys),
    ("clock", clock),
    ("lock_single", lock_single),
    ("lock_fair", lock_fair),
    ("lock_multi", lock_multi),
    ("lock_redlock", lock_redlock),
    ("lock_routed", lock_routed),
    ("engine", engine),
];
