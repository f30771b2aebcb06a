//! Randomness handed in by the caller: tokens, nonces, jitter.
//!
//! Drawn lazily, at the first use, because some runtimes forbid it in global scope.

use crate::time::Duration;

/// A source of random bytes. It must be cryptographically secure outside of tests: tokens are capabilities.
pub trait Entropy {
    /// Fills the buffer.
    ///
    /// # Errors
    /// [`EntropyUnavailable`] when the runtime has no randomness to give. There is no weaker fallback.
    fn fill(&mut self, buffer: &mut [u8]) -> Result<(), EntropyUnavailable>;
}

/// The runtime's source of randomness is missing or failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EntropyUnavailable;

/// 160 random bits that name the owner of a lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Token(pub(crate) [u8; 20]);

impl Token {
    pub(crate) fn mint(entropy: &mut dyn Entropy) -> Result<Self, EntropyUnavailable> {
        let mut bytes = [0; 20];
        entropy.fill(&mut bytes)?;
        Ok(Self(bytes))
    }

    /// The token as five numbers of 32 bits, most significant first: how it crosses into JavaScript.
    #[must_use]
    pub fn words(&self) -> [u32; 5] {
        let mut words = [0; 5];
        for (word, four) in words.iter_mut().zip(self.0.chunks_exact(4)) {
            *word = four.iter().fold(0, |word, &byte| (word << 8) | u32::from(byte));
        }
        words
    }

    /// The token as 40 lower-case hexadecimal digits: how it is stored on the server.
    #[must_use]
    pub fn to_hex(&self) -> Vec<u8> {
        let mut text = Vec::with_capacity(40);
        push_hex(&self.0, &mut text);
        text
    }
}

pub(crate) fn push_hex(bytes: &[u8], out: &mut Vec<u8>) {
    let digit = |nibble: u8| {
        if nibble < 10 { b'0'.saturating_add(nibble) } else { b'a'.saturating_add(nibble.saturating_sub(10)) }
    };
    for &byte in bytes {
        out.push(digit(byte >> 4));
        out.push(digit(byte & 15));
    }
}

/// A span drawn evenly from `min` to `max`, both included; `min` when `max` is smaller or no randomness is to be had.
pub(crate) fn jitter(min: Duration, max: Duration, entropy: &mut dyn Entropy) -> Duration {
    let width = max.minus(min).as_micros().saturating_add(1);
    let mut bytes = [0; 8];
    if entropy.fill(&mut bytes).is_err() {
        return min;
    }
    let drawn = u64::from_le_bytes(bytes).checked_rem(width).unwrap_or(0);
    min.plus(Duration::from_micros(drawn))
}

#[cfg(test)]
#[path = "../tests/world/seeded.rs"]
pub(crate) mod seeded;

#[cfg(test)]
mod tests {
    use super::{seeded::Seeded, *};

    #[test]
    fn token_text_and_words_agree() {
        let token = Token::mint(&mut Seeded(7)).unwrap();
        let words: String = token.words().iter().map(|word| format!("{word:08x}")).collect();
        assert_eq!(words.as_bytes(), token.to_hex());
    }

    #[test]
    fn jitter_covers_its_range_and_stays_in_it() {
        let (min, max) = (Duration::from_micros(50), Duration::from_micros(53));
        let drawn: std::collections::BTreeSet<_> =
            (0..200).map(|seed| jitter(min, max, &mut Seeded(seed)).as_micros()).collect();
        assert_eq!(drawn.into_iter().collect::<Vec<_>>(), [50, 51, 52, 53]);
    }
}
