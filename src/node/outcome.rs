//! What a reply says to one lock.

use crate::{script::Answer, time::Duration};

/// What a reply says to one lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome<'a> {
    Answer(Answer),
    Error(&'a [u8]),
    /// The server did nothing. The command is to be sent again: with the script, or without the others of its run.
    Repeat,
    /// The server did it, and fewer replicas confirmed that in time than are needed.
    Fewer {
        confirmed: u32,
        needed: u32,
        within: Duration,
    },
    /// The server did it, and refused to wait for its replicas with this error.
    Unconfirmed(&'a [u8]),
}
