//! The runs that are open on a connection, in the order in which they are written.
//!
//! A call joins the last run of its script even if calls of other scripts came since, unless one of these concerns the
//! same key. So commands on one key keep the order of asking, and so do all commands of one script. Otherwise acquires and
//! releases that alternate, as those of independent tasks do, would each be a call of its own.

use super::run::{Form, Run};
use crate::script::{Call, Script};

/// The most runs that are open at once: acquires, releases and renewals, and one with other arguments.
pub(super) const MOST_OPEN: usize = 4;

#[derive(Clone, Debug, Default, Hash)]
pub(super) struct Runs {
    /// The open ones first. The others are kept for their buffers.
    runs: Vec<Run>,
    open: usize,
}

impl Runs {
    /// How many runs are open.
    pub(super) const fn len(&self) -> usize {
        self.open
    }

    /// The script of the run that is written next.
    pub(super) fn next_script(&self) -> Option<&'static Script> {
        self.runs.first().and_then(Run::script)
    }

    /// Adds a call to an open run. Returns how many runs are behind that one; `None` if the call needs a run of its own.
    pub(super) fn join(&mut self, call: &Call<'_>) -> Option<usize> {
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

    /// Appends the first run to `out`, and closes it.
    pub(super) fn close_first(&mut self, form: Form, out: &mut Vec<u8>) {
        if let Some(run) = self.runs.first_mut().filter(|_| self.open > 0) {
            run.close(form, out);
            self.open = self.open.saturating_sub(1);
            self.runs.rotate_left(1);
        }
    }
}
