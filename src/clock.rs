//! The clock that merges the driver's two readings into one time.

use crate::time::{Duration, Instant};

/// How far the wall clock may fall behind the monotonic clock before it counts as set back. Covers the coarse clocks of
/// browsers (up to 16.7 ms), whose two readings jitter against each other.
const JITTER: i64 = 20_000;

/// Merges a monotonic clock and a wall clock into one that never goes back and never misses time.
///
/// Linux's monotonic clock stops while the machine is suspended, and the wall clock can be set back. So the larger of
/// the two elapsed times counts ("The core's contract" in `www/guide/rules.md`). Setting the wall clock back has no
/// effect. Setting it forward ends leases early, which is safe. Between any two readings, the merged time advances at
/// least as far as the monotonic clock, and at least as far as the wall clock minus 20 ms of jitter.
///
/// Use one `Clock` for one [`Engine`](crate::Engine), and pass what [`advance`](Self::advance) returns as `now`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Clock {
    last: Option<Reading>,
    /// How much of `lead` [`take_step`](Self::take_step) has returned so far.
    stepped: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Reading {
    mono: u64,
    /// The largest difference, wall clock minus monotonic clock, since the wall clock was last set back.
    skew: i64,
    /// Microseconds that passed on the wall clock but not on the monotonic clock.
    lead: u64,
}

impl Clock {
    /// Reads the merged time, and advances to it. `mono` and `wall` are taken together, each in microseconds since its
    /// own clock's epoch.
    pub fn advance(&mut self, mono: u64, wall: u64) -> Instant {
        let reading = self.read(mono, wall);
        self.last = Some(reading);
        Instant::from_micros(reading.mono.saturating_add(reading.lead))
    }

    /// How far the wall clock has run ahead of the monotonic clock since the last call: it was set forward, or the machine
    /// was suspended. Pass it to [`Engine::handle_clock_step`](crate::Engine::handle_clock_step).
    #[must_use]
    pub fn take_step(&mut self) -> Duration {
        let lead = self.last.map_or(0, |last| last.lead);
        Duration::from_micros(lead.saturating_sub(core::mem::replace(&mut self.stepped, lead)))
    }

    /// Returns what [`advance`](Self::advance) would return, and leaves the clock as it is.
    #[must_use]
    pub fn peek(&self, mono: u64, wall: u64) -> Instant {
        let reading = self.read(mono, wall);
        Instant::from_micros(reading.mono.saturating_add(reading.lead))
    }

    fn read(&self, mono: u64, wall: u64) -> Reading {
        // The application may supply a monotonic clock that goes backwards: treat it as standing still.
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
