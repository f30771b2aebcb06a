//! The engine against a server that says what the test says, in virtual time.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "tests may fail"
)]

mod acquiring;
mod adopting;
mod carriers;
mod connecting;
mod entering;
mod failing;
mod holding;
mod lines;
mod losing;
mod pairing;
mod redlock;
mod releasing;
mod renewing;
mod sharing;
mod trying;
mod unknown_scripts;
mod validity;
mod waking;

#[path = "../support/mod.rs"]
mod support;
