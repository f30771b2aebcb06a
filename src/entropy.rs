//! Random numbers from the driver, for tokens, nonces and jitter.
//!
//! They are drawn on first use, because some runtimes forbid randomness in global scope.

use crate::time::Duration;

/// A source of random bytes. Outside of tests it must be cryptographically secure: whoever guesses a token can release
/// the lock.
pub trait Entropy {
    /// Fills the whole buffer with random bytes.
    ///
    /// # Errors
    /// [`EntropyUnavailable`] if the runtime has no secure randomness. There is no weaker fallback for tokens.
    fn fill(&mut self, buffer: &mut [u8]) -> Result<(), EntropyUnavailable>;
}

/// The runtime's source of random bytes is missing, or failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EntropyUnavailable;

/// A drawn token: 160 random bits that identify the owner of a lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Token(pub(crate) [u8; 20]);

impl Token {
    pub(crate) fn mint(entropy: &mut dyn Entropy) -> Result<Self, EntropyUnavailable> {
        let mut bytes = [0; 20];
        entropy.fill(&mut bytes)?;
        Ok(Self(bytes))
    }

    /// The token as five 32-bit numbers, most significant first. It crosses into JavaScript in this form.
    #[must_use]
    pub fn words(&self) -> [u32; 5] {
        let mut words = [0; 5];
        for (word, four) in words.iter_mut().zip(self.0.chunks_exact(4)) {
            *word = four.iter().fold(0, |word, &byte| (word << 8) | u32::from(byte));
        }
        words
    }

    /// The token as 40 lower-case hexadecimal digits. It is stored on the server in this form.
    #[must_use]
    pub fn to_hex(&self) -> [u8; 40] {
        let mut text = [0; 40];
        for (two, byte) in text.chunks_exact_mut(2).zip(self.0) {
            two.copy_from_slice(&hex(byte));
        }
        text
    }
}

/// A byte in lower-case hexadecimal.
pub(crate) const fn hex(byte: u8) -> [u8; 2] {
    [digit(byte >> 4), digit(byte & 15)]
}

const fn digit(nibble: u8) -> u8 {
    nibble.saturating_add(if nibble < 10 { b'0' } else { b'a'.saturating_sub(10) })
}

/// A span drawn uniformly from `min` to `max`, both inclusive. `min` if `max` is smaller, or without randomness.
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
