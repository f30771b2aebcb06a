//! Entropy that repeats.

// The file is a module of this crate's tests, of the unit tests in `src/entropy.rs` too: each brings these two names.
use super::{Entropy, EntropyUnavailable};

/// splitmix64 (Steele, Lea and Flood 2014).
#[derive(Clone, Debug, Hash)]
pub struct Seeded(pub u64);

impl Entropy for Seeded {
    fn fill(&mut self, buffer: &mut [u8]) -> Result<(), EntropyUnavailable> {
        for byte in buffer {
            self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = self.0;
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            *byte = (z ^ (z >> 31)).to_le_bytes()[0];
        }
        Ok(())
    }
}
