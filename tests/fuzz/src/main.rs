//! The fuzzer: `redlatch-fuzz --target=NAME`, and libFuzzer's own arguments. libFuzzer skips what begins with two dashes.
#![no_main]

use std::sync::OnceLock;

use redlatch_fuzz::{TARGETS, Target};

static TARGET: OnceLock<Target> = OnceLock::new();

fn chosen() -> Target {
    let name = std::env::args().find_map(|arg| arg.strip_prefix("--target=").map(str::to_owned));
    let names = || TARGETS.map(|(name, _)| name).join(", ");
    let name = name.unwrap_or_else(|| panic!("--target= is missing; the targets are {}", names()));
    let found = TARGETS.into_iter().find(|(each, _)| *each == name);
    found.unwrap_or_else(|| panic!("no target {name}; the targets are {}", names())).1
}

libfuzzer_sys::fuzz_target!(
    init: {
        TARGET.get_or_init(chosen);
    },
    |data: &[u8]| {
        if let Some(target) = TARGET.get() {
            target(data);
        }
    }
);
