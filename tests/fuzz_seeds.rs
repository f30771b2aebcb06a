//! The committed corpus of the fuzzer, replayed: what it found once is not found again.

#[path = "fuzz/src/lib.rs"]
mod fuzz;

#[test]
fn every_seed_of_every_fuzz_target_passes() {
    for (target, run) in fuzz::TARGETS {
        let folder = format!("{}/tests/fuzz/seeds/{target}", env!("CARGO_MANIFEST_DIR"));
        let mut seeds: Vec<_> = std::fs::read_dir(&folder)
            .expect("a folder of seeds")
            .map(|file| file.expect("a file").path())
            .collect();
        seeds.sort();
        assert!(!seeds.is_empty(), "{target} has no seeds");
        for seed in seeds {
            let bytes = std::fs::read(&seed).expect("a seed");
            if std::panic::catch_unwind(|| run(&bytes)).is_err() {
                panic!("{} fails", seed.display());
            }
        }
    }
}
