//! For how long a client has listened, computed independently of the engine: `least` bounds from below how long it must
//! wait, `most` from above how long it may (rule 16).

use redlatch::{Duration, Instant};

/// How long a client may listen again after a stall.
const LISTEN_AGAIN: Duration = Duration::from_millis(250);

/// A timer that fires later than this may count as a stall of the event loop.
const LATENESS: Duration = Duration::from_millis(20);

#[derive(Clone, Debug, Default)]
pub struct Listening {
    called: Instant,
    /// For how long the client may listen again, because a timer was late.
    again: Duration,
    /// The least that may count: neither time that ends with a late timer, nor the time of listening again after it.
    pub least: Duration,
    /// All time that does not end with a late timer.
    pub calm: Duration,
    /// The most that may count: all time that the monotonic clock sees.
    pub most: Duration,
}

impl Listening {
    /// The client is called at `now`, after a step of the wall clock, though its timer was due at `due`.
    pub fn advance(&mut self, now: Instant, step: Duration, due: Option<Instant>) {
        let awake = now.since(self.called).minus(step);
        let late = due.map_or(Duration::ZERO, |due| now.since(due.after(step))).min(awake);
        self.called = now;
        self.most = self.most.plus(awake);
        if late > LATENESS {
            self.again = LISTEN_AGAIN;
        } else {
            self.calm = self.calm.plus(awake);
            let again = awake.min(self.again);
            self.again = self.again.minus(again);
            self.least = self.least.plus(awake.minus(again));
        }
    }
}
