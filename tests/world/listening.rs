//! For how long a client has listened, by an account of the observer's own: how long it may wait, and how long it has to
//! (rule 16).

use redlatch::{Duration, Instant};

/// A timer that fires later than this, and than an eighth of the time that passed, shows that the event loop stood still.
const LATENESS: Duration = Duration::from_millis(20);

#[derive(Clone, Debug, Default)]
pub struct Listening {
    called: Instant,
    /// The least that counts: of a time that ends with a late timer, half of what came before the timer was due.
    pub least: Duration,
    /// The most that counts: all of that, but neither the lateness, nor time that the monotonic clock did not see.
    pub most: Duration,
}

impl Listening {
    /// The client is called at `now`, after a step of the wall clock, though its timer was due at `due`.
    pub fn advance(&mut self, now: Instant, step: Duration, due: Option<Instant>) {
        let awake = now.since(self.called).minus(step);
        let late = due.map_or(Duration::ZERO, |due| now.since(due.after(step))).min(awake);
        let before = awake.minus(late);
        self.called = now;
        self.least = self.least.plus(if late > LATENESS { before.part(2) } else { awake });
        self.most = self.most.plus(if late > LATENESS.max(awake.part(8)) { before } else { awake });
    }
}
