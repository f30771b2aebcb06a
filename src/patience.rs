//! Listening time: the time line of *patient* timers, which mean that something did not come in time (rule 16).
//!
//! An answer that has arrived may wait in a socket's buffer while the event loop is stalled, and timers run before
//! sockets are read. So listening time counts on the monotonic clock alone, the client listens again after a stall, and
//! a deadline that is due is *believed*, that is, its timer runs, only after a further *look* at the sockets:
//!
//! ```text
//!            due, and no stall lately                  on time, or the last look
//!   quiet --------------------------> look for 1 ms ------------------------> believed
//!                                          |   ^
//!                                          '---' late: the event loop stalled again
//! ```

use crate::time::{Duration, Instant};

/// How late a timer may fire before that counts as a stall: 20 ms, as on a busy machine, or a 32nd of the time since
/// the last call.
const LATENESS: Duration = Duration::from_millis(20);
const LATENESS_PART: u64 = 32;

/// How long the client listens again after a stall, at most: enough for a command that was written only after the stall.
const LISTEN_AGAIN: Duration = Duration::from_millis(250);

/// How long a look takes: an event loop reads its sockets between two timers.
const LOOK: Duration = Duration::from_millis(1);

/// A look that ends late is repeated, but after this many a deadline is believed, even if the event loop is never on time.
const MOST_LOOKS: u8 = 3;

/// The time of a call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Times {
    pub(crate) now: Instant,
    /// The listening time, which patient timers use.
    pub(crate) listening: Instant,
    /// The listening time up to which deadlines are believed, if the call is about them.
    pub(crate) believed: Instant,
}

/// The listening time of an engine.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Patience {
    /// When the engine was last called.
    called: Instant,
    /// How far the wall clock was set forward up to that call, in all: this is not listening time.
    stepped: Duration,
    /// How far the wall clock was set forward since that call.
    step: Duration,
    /// The listening time until which no deadline is believed, because the event loop stalled.
    again: Instant,
    /// The listening time at which the last stall ended.
    stalled: Instant,
    /// How long the client listens again after the next stall. Every stall reduces it to a quarter, so that deadlines are
    /// believed in the end even if the event loop is never on time. It recovers when the event loop does.
    allowance: Duration,
    /// The look in progress: the listening time at which it began, and its number.
    look: Option<(Instant, u8)>,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            called: Instant::default(),
            stepped: Duration::ZERO,
            step: Duration::ZERO,
            again: Instant::default(),
            stalled: Instant::default(),
            allowance: LISTEN_AGAIN,
            look: None,
        }
    }
}

impl Patience {
    /// The next call comes after a step of the wall clock by `step`, during which no time passed.
    pub(crate) fn step(&mut self, step: Duration) {
        self.step = self.step.plus(step);
    }

    /// Whether no time has passed since the engine was last called.
    pub(crate) fn is_at(&self, now: Instant) -> bool {
        now == self.called && self.step == Duration::ZERO
    }

    /// The engine is called at `now`; its timer is or was due at `due`. Returns whether the event loop stalled or the
    /// machine slept: then what arrived meanwhile has not been read yet.
    pub(crate) fn advance(&mut self, now: Instant, due: Option<Instant>) -> bool {
        let step = core::mem::take(&mut self.step);
        let awake = now.since(self.called).minus(step);
        let late = due.map_or(Duration::ZERO, |due| now.since(due.after(step))).min(awake);
        self.called = self.called.max(now);
        self.stepped = self.stepped.plus(step);
        if late > LATENESS.max(awake.part(LATENESS_PART)) {
            // Nobody knows when the stall began, so half of the time may have passed without listening.
            let span = awake.part(2).min(self.allowance);
            if span >= LOOK {
                self.again = self.again.max(self.now().after(span));
            }
            self.stalled = self.now();
            self.allowance = self.allowance.part(4);
            return true;
        }
        if self.now() >= self.stalled.after(LISTEN_AGAIN) {
            self.allowance = LISTEN_AGAIN;
        }
        step > LATENESS
    }

    /// The listening time of the last call.
    pub(crate) const fn now(&self) -> Instant {
        self.called.before(self.stepped)
    }

    /// Begins or continues a look, if a deadline is due. `next` is the first deadline, and `stalled` whether a stall
    /// came before this call. Returns the time up to which deadlines are believed now.
    pub(crate) fn look(&mut self, next: Option<Instant>, stalled: bool) -> Option<Instant> {
        let now = self.now();
        match self.look {
            _ if next.is_none_or(|next| next.max(self.again) > now) => self.look = None,
            None => self.look = Some((now, 1)),
            Some((_, looks)) if stalled && looks < MOST_LOOKS => {
                self.look = Some((now, looks.saturating_add(1)));
            }
            Some((since, _)) if now >= since.after(LOOK) => {
                self.look = None;
                return Some(since);
            }
            Some(_) => {}
        }
        None
    }

    /// When the engine has to be called for its deadlines, the first of which is `next`, in the caller's time.
    pub(crate) fn due(&self, next: Option<Instant>) -> Option<Instant> {
        let look = self.look.map(|(since, _)| since.after(LOOK));
        next.map(|next| look.unwrap_or(next).max(self.again).after(self.stepped))
    }
}
