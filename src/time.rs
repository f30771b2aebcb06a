//! Points and spans of time, in microseconds.
//!
//! The core never reads a clock: the driver passes the time with every call.

/// A point in time: microseconds since an epoch of the caller's choice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(u64);

/// A span of time in microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Duration(u64);

/// The latest point that [`Instant::from_micros`] returns.
const FAR: u64 = 1 << 62;

impl Instant {
    /// The last point, which never comes: see [`from_micros`](Self::from_micros).
    pub(crate) const LAST: Self = Self(u64::MAX);

    /// The point `micros` microseconds after the epoch, at most 2^62 (146 000 years). The cap leaves room for later
    /// points, so that a timer set for later is never due now.
    #[must_use]
    pub const fn from_micros(micros: u64) -> Self {
        Self(if micros < FAR { micros } else { FAR })
    }

    /// Microseconds since the epoch.
    #[must_use]
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// The span from `earlier` to `self`; zero if `earlier` is later than `self`.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration(self.0.saturating_sub(earlier.0))
    }

    /// The point `span` later. Saturates at the largest value.
    #[must_use]
    pub const fn after(self, span: Duration) -> Self {
        Self(self.0.saturating_add(span.0))
    }

    /// The point `span` earlier. Saturates at the epoch.
    #[must_use]
    pub const fn before(self, span: Duration) -> Self {
        Self(self.0.saturating_sub(span.0))
    }

    /// The last point that is a multiple of `step` away from the epoch. `step` = 0 counts as 1.
    #[must_use]
    pub const fn on_grid(self, step: Duration) -> Self {
        match self.0.checked_rem(step.0) {
            Some(past) => Self(self.0.saturating_sub(past)),
            None => self,
        }
    }
}

impl Duration {
    /// The empty span.
    pub const ZERO: Self = Self(0);
    /// The longest span. As a limit, it means "no limit".
    pub const MAX: Self = Self(u64::MAX);

    /// A span of `micros` microseconds.
    #[must_use]
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros)
    }

    /// A span of `millis` milliseconds. Saturates.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis.saturating_mul(1000))
    }

    /// The span in microseconds.
    #[must_use]
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// The span in whole milliseconds, rounded down.
    #[must_use]
    pub const fn as_millis(self) -> u64 {
        self.0 / 1000
    }

    /// The sum of both spans. Saturates.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// This span minus `other`; zero if `other` is longer.
    #[must_use]
    pub const fn minus(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    /// This span times `n`. Saturates.
    #[must_use]
    pub const fn times(self, n: u64) -> Self {
        Self(self.0.saturating_mul(n))
    }

    /// This span divided by `n`, rounded down. `n` = 0 counts as 1.
    #[must_use]
    pub const fn part(self, n: u64) -> Self {
        match self.0.checked_div(n) {
            Some(part) => Self(part),
            None => self,
        }
    }

    /// `ppm` millionths of this span, rounded up. Saturates.
    #[must_use]
    pub const fn millionths(self, ppm: u32) -> Self {
        // Split at a million so that no product overflows.
        let whole = (self.0 / 1_000_000).saturating_mul(widen(ppm));
        let rest = (self.0 % 1_000_000).saturating_mul(widen(ppm)).div_ceil(1_000_000);
        Self(whole.saturating_add(rest))
    }
}

#[allow(clippy::as_conversions, reason = "u64::from is not const; widening is lossless")]
const fn widen(n: u32) -> u64 {
    n as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drift_rounds_up() {
        assert_eq!(Duration::from_micros(1).millionths(10_000), Duration::from_micros(1));
        assert_eq!(Duration::from_millis(30_000).millionths(10_000), Duration::from_millis(300));
        assert_eq!(Duration::MAX.millionths(1_000_000), Duration::MAX);
    }

    #[test]
    fn a_grid_rounds_down() {
        let on_grid = |micros, step| Instant(micros).on_grid(Duration(step)).as_micros();
        assert_eq!([on_grid(0, 10), on_grid(9, 10), on_grid(10, 10), on_grid(29, 10)], [0, 0, 10, 20]);
        assert_eq!(on_grid(7, 0), 7);
    }
}
