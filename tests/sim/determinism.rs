//! The same seed gives the same world: when it is run again, and when it is run as WebAssembly, where `usize`
//! has 32 bits.
//!
//! `make test-wasm` compiles the traces of the native build into the wasm test. So two builds of one source
//! are compared, and no recorded value has to be updated when the engine or a plan changes.

use crate::{plan::Plan, simulation};

const SEEDS: std::ops::Range<u64> = 0..100;

fn trace(seed: u64) -> String {
    let (summary, result) = simulation::run(&Plan::draw(seed), false);
    let outcome = result.err().map(|violation| format!("{}: {}", violation.rule, violation.text));
    assert_eq!(outcome, None, "seed {seed}");
    format!("{:016x}/{}/{}", summary.hash, summary.events, summary.coverage.values().sum::<u64>())
}

#[cfg(not(target_arch = "wasm32"))]
#[test]
fn the_same_seed_is_the_same_world() {
    let traces: Vec<_> = SEEDS.map(trace).collect();
    for (seed, first) in SEEDS.zip(&traces) {
        assert_eq!(trace(seed), *first, "seed {seed}");
    }
    std::fs::write(concat!(env!("CARGO_TARGET_TMPDIR"), "/sim-traces"), traces.join(" ")).unwrap();
}

#[cfg(target_arch = "wasm32")]
#[wasm_bindgen_test::wasm_bindgen_test]
fn the_same_seed_is_the_same_world_as_in_the_native_build() {
    let native: Vec<_> = option_env!("SIM_TRACES").unwrap_or_default().split_whitespace().collect();
    assert_eq!(
        native.len() as u64,
        SEEDS.end,
        "`make test-wasm` hands the native build's traces to this test"
    );
    for (seed, native) in SEEDS.zip(native) {
        let here = trace(seed);
        // Two transcripts to compare: this one, and the native one.
        assert!(
            here == native,
            "seed {seed} is {here}, and {native} natively (SEED={seed} cargo test --test sim seeds_hold -- --nocapture)\n{}",
            crate::transcript(&Plan::draw(seed))
        );
    }
}
