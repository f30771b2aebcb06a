//! The runs that are open on a connection, in the order in which they are written.
//!
//! A call joins the last run of its script even if calls of other scripts came since, unless one of these concerns the
//! same key. So commands on one key keep the order of asking, and so do all commands of one script. Otherwise acquires and
//! releases that alternate, as those of independent tasks do, would each be a call of its own.

use core::hash::{Hash, Hasher};

use super::run::Run;
use crate::script::Call;

/// The most runs that are open at once: acquires, releases, renewals, and one more, such as behind a full one.
pub(super) const MOST_OPEN: usize = 4;

#[derive(Clone, Debug, Default)]
pub(super) struct Runs {
    /// The open ones, and then others that are kept for their buffers.
    runs: Vec<Run>,
    open: usize,
}

/// Of the open runs alone: the others make no difference.
impl Hash for Runs {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.open.hash(state);
        self.runs.iter().take(self.open).for_each(|run| run.hash(state));
    }
}

impl Runs {
    /// How many runs are open.
    pub(super) const fn len(&self) -> usize {
        self.open
    }

    /// Adds a call to an open run. Returns how many runs are behind that one; `None` if the call needs a run of its own.
    pub(super) fn join(&mut self, call: &Call<'_>) -> Option<usize> {
        if !call.may_share() {
            return None;
        }
        for (behind, run) in self.runs.iter_mut().take(self.open).rev().enumerate() {
            if run.script() == Some(call.script) {
                return run.join(call).then_some(behind);
            }
            if run.may_concern(call) {
                return None;
            }
        }
        None
    }

    /// Opens a run with this call, behind the others. There must be fewer than [`MOST_OPEN`].
    pub(super) fn open(&mut self, call: &Call<'_>, nonce: u64) {
        if self.open == self.runs.len() {
            self.runs.push(Run::default());
        }
        if let Some(run) = self.runs.get_mut(self.open) {
            run.open(call, nonce);
            self.open = self.open.saturating_add(1);
        }
    }

    /// Closes the runs, in their order: `close` gets each, and how many runs there are from it on.
    pub(super) fn close(&mut self, mut close: impl FnMut(usize, &mut Run)) {
        let open = core::mem::take(&mut self.open);
        for (before, run) in self.runs.iter_mut().take(open).enumerate() {
            close(open.saturating_sub(before), run);
        }
    }
}
