//! Simulation: the real engine and memory servers in virtual time, with faults. README.md describes it.
//!
//! It runs natively and as WebAssembly; the files that need threads or the environment (`seeds.rs`) are
//! native only.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    missing_docs,
    reason = "a test may panic"
)]

mod client;
mod clock;
mod cluster;
mod clusters;
mod confirmation;
mod contract;
mod determinism;
mod events;
mod evidence;
mod execution;
mod exemptions;
mod faults;
mod fifo;
mod generator;
#[cfg(not(target_arch = "wasm32"))]
mod hunt;
#[cfg(not(target_arch = "wasm32"))]
mod limits;
mod network;
mod observer;
mod patience;
mod plan;
mod quiescence;
mod requests;
mod rng;
mod routes;
mod scenarios;
mod scheduler;
#[cfg(not(target_arch = "wasm32"))]
mod seeds;
mod server;
#[cfg(not(target_arch = "wasm32"))]
mod shrink;
mod simulation;
mod switches;
mod trace;
mod upheavals;
mod validity;
mod wire;

#[path = "../world/memory.rs"]
mod memory;
#[path = "../world/mod.rs"]
mod world;

use plan::Plan;

/// A transcript ends with at most this many lines.
const MOST_LINES: usize = 1000;

/// A world, step by step.
fn transcript(plan: &Plan) -> String {
    let (summary, result) = simulation::run(plan, true);
    let skipped = summary.lines.len().saturating_sub(MOST_LINES);
    let mut lines = vec![
        format!("{:#?}\n{:#?}\n{:#?}", plan.settings, plan.ops, plan.faults),
        format!("({skipped} lines before)"),
    ];
    lines.extend_from_slice(&summary.lines[skipped..]);
    lines.push(format!("{result:?}"));
    lines.join("\n")
}
