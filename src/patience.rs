//! Listening time: the time line of every deadline that means "nothing came" (rule 16).
//!
//! An answer that has arrived may wait in a socket's buffer while the event loop stands still, and timers run before
//! sockets are read. So listening time passes only while the client is able to listen, on the monotonic clock alone, and
//! a deadline is believed only after a further look at the sockets:
//!
//! ```text
//!            due                  on time, or the last look
//!   quiet --------> look for 1 ms ------------------------> believed
//!                        |   ^
//!                        '---' late: the event loop stood still again
//! ```

use crate::time::{Duration, Instant};

/// How late a timer may fire before it shows a stall: 20 ms, as on a busy machine, or an eighth of the time that has passed.
const LATENESS: Duration = Duration::from_millis(20);
const LATENESS_PART: u64 = 8;

/// How much of the time before a stall is listened again at most: enough for a command that was written only after it.
const LISTEN_AGAIN: Duration = Duration::from_millis(250);

/// How long a look takes: an event loop reads its sockets between two timers.
const LOOK: Duration = Duration::from_millis(1);

/// A look that is late is repeated, but a deadline is believed after this many, even if the event loop is never on time.
const MOST_LOOKS: u8 = 3;

/// The listening time of an engine.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Patience {
    /// When the engine was last called.
    called: Instant,
    /// How much of the time until then was not spent listening.
    lost: Duration,
    /// How far the wall clock was set forward since then.
    step: Duration,
    /// The look in progress: the listening time at which it began, and its number.
    look: Option<(Instant, u8)>,
}

impl Patience {
    /// The next call comes after a step of the wall clock by `step`, during which no time passed.
    pub(crate) fn step(&mut self, step: Duration) {
        self.step = self.step.plus(step);
    }

    /// The engine is called at `now`, though its timer was due at `due`. Returns whether that shows a stall.
    ///
    /// Nobody knows when a stall began. So of the time until the timer was due, a half is listened again, at most 250 ms.
    /// At least 20 ms of it count, so that the time does not halve for ever.
    pub(crate) fn advance(&mut self, now: Instant, due: Option<Instant>) -> bool {
        let step = core::mem::take(&mut self.step);
        let passed = now.since(self.called);
        let awake = passed.minus(step);
        let late = due.map_or(Duration::ZERO, |due| now.since(due.after(step))).min(awake);
        self.called = self.called.max(now);
        let stalled = late > LATENESS.max(awake.part(LATENESS_PART));
        let before = awake.minus(late);
        let again = before.part(2).min(LISTEN_AGAIN).min(before.minus(LATENESS));
        let listened = if stalled { before.minus(again) } else { awake };
        self.lost = self.lost.plus(passed.minus(listened));
        // After a sleep, what arrived meanwhile is not read yet either.
        stalled || step > LATENESS
    }

    /// The listening time of the last call.
    pub(crate) const fn now(&self) -> Instant {
        self.called.before(self.lost)
    }

    /// Begins or continues a look, if a deadline is due. `next` is the first deadline, and `stalled` whether a stall
    /// came before this call. Returns the time up to which deadlines are believed now.
    pub(crate) fn look(&mut self, next: Option<Instant>, stalled: bool) -> Option<Instant> {
        let now = self.now();
        match self.look {
            _ if next.is_none_or(|next| next > now) => self.look = None,
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
        next.map(|next| look.unwrap_or(next).after(self.lost))
    }
}
