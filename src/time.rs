//! Points and spans of time, in microseconds, and the clock that merges the caller's two readings.
//!
//! The core never reads a clock. Whoever drives it passes the time with every call.

/// A point in time: microseconds since an epoch of the caller's choice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(u64);

/// A span of time in microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Duration(u64);

const FAR: u64 = 1 << 62;

impl Instant {
    /// The point `micros` microseconds after the epoch, or 146 000 years after it if that is earlier: so there is always a
    /// later point, and what is due later is never due now.
    #[must_use]
    pub const fn from_micros(micros: u64) -> Self {
        Self(if micros < FAR { micros } else { FAR })
    }

    /// Microseconds since the epoch.
    #[must_use]
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// The span from `earlier` to `self`; zero if `earlier` is the later one.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration(self.0.saturating_sub(earlier.0))
    }

    /// The point `span` later; the far end of time if it would lie beyond.
    #[must_use]
    pub const fn after(self, span: Duration) -> Self {
        Self(self.0.saturating_add(span.0))
    }

    /// The point `span` earlier; the epoch if it would lie before.
    #[must_use]
    pub const fn before(self, span: Duration) -> Self {
        Self(self.0.saturating_sub(span.0))
    }
}

impl Duration {
    /// No time at all.
    pub const ZERO: Self = Self(0);
    /// Longer than anything waits.
    pub const MAX: Self = Self(u64::MAX);

    /// A span of `micros` microseconds.
    #[must_use]
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros)
    }

    /// A span of `millis` milliseconds.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis.saturating_mul(1000))
    }

    /// Microseconds.
    #[must_use]
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// Whole milliseconds, rounded down.
    #[must_use]
    pub const fn as_millis(self) -> u64 {
        self.0 / 1000
    }

    /// Both spans together.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// This span less the other; zero if the other is longer.
    #[must_use]
    pub const fn minus(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    /// This span `n` times.
    #[must_use]
    pub const fn times(self, n: u64) -> Self {
        Self(self.0.saturating_mul(n))
    }

    /// The `n`-th part of this span, rounded down. `n` = 0 counts as 1.
    #[must_use]
    pub const fn part(self, n: u64) -> Self {
        match self.0.checked_div(n) {
            Some(part) => Self(part),
            None => self,
        }
    }

    /// `ppm` millionths of this span, rounded up.
    #[must_use]
    pub const fn millionths(self, ppm: u32) -> Self {
        // Split at a million so that the product fits for every span.
        let whole = (self.0 / 1_000_000).saturating_mul(widen(ppm));
        let rest = (self.0 % 1_000_000).saturating_mul(widen(ppm)).div_ceil(1_000_000);
        Self(whole.saturating_add(rest))
    }
}

#[allow(clippy::as_conversions, reason = "u64::from is not const; widening is lossless")]
const fn widen(n: u32) -> u64 {
    n as u64
}

/// How far the wall clock may fall behind the monotonic one before it is taken as set back: covers the coarse clocks
/// of browsers (up to 16.7 ms), whose two readings jitter against each other.
const JITTER: i64 = 20_000;

/// Merges a monotonic and a wall clock into one that never goes back and never misses time.
///
/// Linux's monotonic clock stands still while the machine is suspended; the wall clock can be set back. So the larger
/// of the two elapsed times counts (design, section 3). A wall clock set back has no effect; one set forward ends leases early,
/// which is the safe direction. For any two readings, the merged span is at least the monotonic one and at least
/// the wall clock's less [`JITTER`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Clock {
    last: Option<Reading>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Reading {
    mono: u64,
    /// How much the wall clock has been ahead of the monotonic clock at most since it was last set back.
    skew: i64,
    /// Microseconds that the wall clock has seen and the monotonic clock has not.
    lead: u64,
}

impl Clock {
    /// The merged time of two readings taken together, in microseconds since each clock's own epoch.
    pub fn advance(&mut self, mono: u64, wall: u64) -> Instant {
        let reading = self.read(mono, wall);
        self.last = Some(reading);
        Instant::from_micros(reading.mono.saturating_add(reading.lead))
    }

    /// What [`advance`](Self::advance) would answer, leaving the clock as it is.
    #[must_use]
    pub fn peek(&self, mono: u64, wall: u64) -> Instant {
        let reading = self.read(mono, wall);
        Instant::from_micros(reading.mono.saturating_add(reading.lead))
    }

    fn read(&self, mono: u64, wall: u64) -> Reading {
        // A monotonic clock that goes back, as an application's own may, is taken to stand still.
        let mono = self.last.map_or(mono, |last| mono.max(last.mono));
        let skew = signed(wall).saturating_sub(signed(mono));
        let Some(last) = self.last else {
            return Reading { mono, skew, lead: 0 };
        };
        if skew > last.skew {
            let jump = skew.abs_diff(last.skew);
            Reading { mono, skew, lead: last.lead.saturating_add(jump) }
        } else if skew < last.skew.saturating_sub(JITTER) {
            Reading { mono, skew, lead: last.lead }
        } else {
            Reading { mono, ..last }
        }
    }
}

fn signed(micros: u64) -> i64 {
    i64::try_from(micros).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECOND: u64 = 1_000_000;

    fn elapsed(readings: &[(u64, u64)]) -> u64 {
        let mut clock = Clock::default();
        let points: Vec<_> = readings.iter().map(|&(mono, wall)| clock.advance(mono, wall)).collect();
        points[points.len() - 1].since(points[0]).as_micros()
    }

    #[test]
    fn suspend_counts_though_the_monotonic_clock_stood_still() {
        assert_eq!(elapsed(&[(0, 100 * SECOND), (SECOND, 131 * SECOND)]), 31 * SECOND);
    }

    #[test]
    fn wall_clock_set_back_has_no_effect() {
        assert_eq!(elapsed(&[(0, 7200 * SECOND), (SECOND, 3601 * SECOND)]), SECOND);
    }

    #[test]
    fn suspend_after_the_wall_clock_was_set_back_counts_in_full() {
        let readings = [(0, 7200 * SECOND), (SECOND, 3601 * SECOND), (SECOND, 3631 * SECOND)];
        assert_eq!(elapsed(&readings), 31 * SECOND);
    }

    #[test]
    fn monotonic_clock_that_goes_back_makes_no_time_run_slow() {
        let mut clock = Clock::default();
        clock.advance(SECOND, 100 * SECOND);
        clock.advance(2 * SECOND, 101 * SECOND);
        let back = clock.advance(SECOND, 101 * SECOND);
        let later = clock.advance(3 * SECOND, 103 * SECOND);
        assert_eq!(later.since(back).as_micros(), 2 * SECOND);
    }

    #[test]
    fn millisecond_wall_clock_does_not_make_time_run_fast() {
        let readings: Vec<_> = (0..10_000).map(|i| (i * 100, i * 100 / 1000 * 1000)).collect();
        assert!(elapsed(&readings) <= 9_999 * 100 + 1000);
    }

    #[test]
    fn there_is_always_a_later_point() {
        let mut clock = Clock::default();
        for reading in [(0, 0), (u64::MAX, 0), (u64::MAX, u64::MAX), (0, u64::MAX)] {
            let now = clock.advance(reading.0, reading.1);
            assert!(now.after(Duration::from_micros(1)) > now);
        }
    }

    #[test]
    fn drift_rounds_up() {
        assert_eq!(Duration::from_micros(1).millionths(10_000), Duration::from_micros(1));
        assert_eq!(Duration::from_millis(30_000).millionths(10_000), Duration::from_millis(300));
        assert_eq!(Duration::MAX.millionths(1_000_000), Duration::MAX);
    }

    proptest! {
        #[test]
        fn merged_span_is_never_shorter_than_either_clock_saw(steps in prop::collection::vec((0u64..50_000, -80_000i64..80_000), 2..60)) {
            let mut clock = Clock::default();
            let (mut mono, mut wall) = (0u64, 1_000_000_000i64);
            let mut seen = Vec::new();
            for (forward, step) in steps {
                mono += forward;
                wall += step;
                let now = clock.advance(mono, wall.unsigned_abs());
                for &(mono_then, wall_then, then) in &seen {
                    let merged = i64::try_from(now.since(then).as_micros()).unwrap();
                    let mono_span = i64::try_from(mono - mono_then).unwrap();
                    prop_assert!(merged >= mono_span);
                    prop_assert!(merged >= wall - wall_then - JITTER);
                }
                seen.push((mono, wall, now));
            }
        }
    }
}
