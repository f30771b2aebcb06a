//! Clocks that deviate from the true time, which is microseconds since the world began.

use redlatch::{Clock, Duration, Instant};

use crate::plan::Micros;

/// The time of all wall clocks at the beginning, more or less: some day in 2023.
const EPOCH: i64 = 1_700_000_000_000_000;

fn scaled(time: Micros, rate: i64) -> i64 {
    let time = time as i64;
    time + (time as i128 * rate as i128 / 1_000_000) as i64
}

/// A server's wall clock.
#[derive(Clone, Debug)]
pub struct ServerClock {
    rate: i64,
    offset: i64,
}

impl ServerClock {
    pub const fn new(rate: i64, offset: i64) -> Self {
        Self { rate, offset }
    }

    pub fn now(&self, time: Micros) -> Instant {
        Instant::from_micros((EPOCH + self.offset + scaled(time, self.rate)) as u64)
    }

    pub fn step(&mut self, by: i64) {
        self.offset += by;
    }
}

/// A client's two clocks, merged as the TypeScript shell does.
#[derive(Clone, Debug)]
pub struct ClientClock {
    rate: i64,
    /// True time that the monotonic clock missed, and since when it stands still.
    missed: Micros,
    suspended: Option<Micros>,
    stepped: i64,
    merged: Clock,
}

impl ClientClock {
    pub fn new(rate: i64) -> Self {
        Self { rate, missed: 0, suspended: None, stepped: 0, merged: Clock::default() }
    }

    fn readings(&self, time: Micros) -> (u64, u64) {
        let seen = self.suspended.unwrap_or(time) - self.missed;
        let mono = 1_000_000 + scaled(seen, self.rate);
        let wall = EPOCH + self.stepped + scaled(time, self.rate);
        (mono as u64, wall as u64)
    }

    /// The merged time, and how much of it passed in a step of the wall clock.
    pub fn advance(&mut self, time: Micros) -> (Instant, Duration) {
        let (mono, wall) = self.readings(time);
        let now = self.merged.advance(mono, wall);
        (now, self.merged.take_step())
    }

    /// The time that [`advance`](Self::advance) would return.
    pub fn peek(&self, time: Micros) -> Instant {
        let (mono, wall) = self.readings(time);
        self.merged.peek(mono, wall)
    }

    /// The true span after which this clock has advanced by that many microseconds.
    pub fn true_span(&self, micros: Micros) -> Micros {
        let rate = 1_000_000 + self.rate;
        (micros as u128 * 1_000_000).div_ceil(rate as u128) as u64 + 1
    }

    pub fn step(&mut self, by: i64) {
        self.stepped += by;
    }

    pub fn suspend(&mut self, time: Micros) {
        self.suspended.get_or_insert(time);
    }

    pub fn resume(&mut self, time: Micros) {
        if let Some(since) = self.suspended.take() {
            self.missed += time - since;
        }
    }
}
