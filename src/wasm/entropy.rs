//! The runtime's random numbers.

use crate::{Entropy, EntropyUnavailable};

const STOCK: usize = 4096;

/// Draws 4 KiB at a time, because a call into the runtime for each token would cost more than the token.
pub(super) struct Runtime {
    stock: [u8; STOCK],
    /// Where the unused part of the stock begins.
    unused: usize,
}

impl Default for Runtime {
    fn default() -> Self {
        Self { stock: [0; STOCK], unused: STOCK }
    }
}

impl Entropy for Runtime {
    fn fill(&mut self, buffer: &mut [u8]) -> Result<(), EntropyUnavailable> {
        if self.stock.len().saturating_sub(self.unused) < buffer.len() {
            getrandom::fill(&mut self.stock).map_err(|_| EntropyUnavailable)?;
            self.unused = 0;
        }
        let end = self.unused.saturating_add(buffer.len());
        let drawn = self.stock.get_mut(self.unused..end).ok_or(EntropyUnavailable)?;
        buffer.copy_from_slice(drawn);
        // The bytes of a token must not stay readable here.
        drawn.fill(0);
        self.unused = end;
        Ok(())
    }
}
