//! Bugs that can be planted, to see that the simulation finds them: `tests/sim/planted.rs`.
//!
//! Where one would sit, the code asks [`planted`]. That is constantly false, and costs nothing, unless the crate is compiled
//! with `--cfg planted`, which nothing but that test does.

macro_rules! bugs {
    ($($(#[doc = $what:literal])+ $name:ident,)+) => {
        /// A small mistake.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[cfg_attr(not(planted), allow(dead_code, reason = "some sit in the memory server, which is not always built"))]
        pub enum Planted {
            $($(#[doc = $what])+ $name,)+
        }

        #[cfg(planted)]
        impl Planted {
            /// Every bug.
            pub const ALL: &[Self] = &[$(Self::$name),+];

            /// What is wrong.
            #[must_use]
            pub const fn describe(self) -> &'static str {
                match self {
                    $(Self::$name => concat!($($what),+).trim_ascii(),)+
                }
            }
        }
    };
}

bugs! {
    // Validity.
    /// validity counted from the reply
    ValidityFromReply,
    /// an extension counted from its reply
    ExtensionFromReply,
    /// no allowance for drift
    NoAllowance,
    /// validity by the server that granted for longest
    ValidityOfOne,
    /// a verification counted as an extension
    VerifyExtends,
    /// time asleep not counted
    SleepNotCounted,

    // Loss.
    /// no timer for the loss
    LossNotTimed,
    /// events told without running what is due
    EventsBeforeTimers,
    /// a timer that moves to an earlier time is not moved
    TimerNotMoved,
    /// a cancelled lock is heard of
    CancelledHeard,
    /// questions about a lock that is lost are not answered
    QuestionsForgotten,
    /// an error counted as "not yours"
    ErrorIsNo,

    // Votes.
    /// quorum N/2
    QuorumOfHalf,
    /// a no counted as a yes
    NoIsYes,
    /// a vote that cannot be won any more stays open
    VoteNeverFails,
    /// some of the keys deleted counted as all
    SomeKeysAreAll,
    /// the answer to an earlier attempt taken for this one's
    AnswerOfAnotherRound,

    // Attempts.
    /// no end of waiting
    WaitsForEver,
    /// abort, or the end of the wait, cleans up nothing
    NoCleanUp,
    /// Redlock asks again with a token that is being released
    TokenAskedAgain,
    /// no attempts but by wake-up
    NoSafetyNet,
    /// a late acquire shortens a lease
    AcquireShortens,

    // Renewal and release.
    /// an extension sent after the release was asked for
    ExtendsAfterRelease,
    /// a lock is renewed once
    RenewsOnce,
    /// an extension that extends nothing
    ExtendsNothing,
    /// an extension without looking at the token
    ExtendsForeign,
    /// a delete without looking at the token
    DeletesForeign,
    /// "expired" told as "released"
    ExpiredIsReleased,
    /// the first of several holders who leaves takes the lock along
    LeavesForAll,
    /// adoption only asks
    AdoptsByAsking,
    /// who adopts a lock claims nothing
    AdoptsWithoutClaim,
    /// a late acquire takes the claim away from who adopted the lock
    LateAcquireUnclaims,
    /// a release that looks at no claim
    ClaimNotLookedAt,
    /// adoption that fails cleans up
    FailedAdoptionCleansUp,
    /// who waits for another lock of the same owner is forgotten
    ParkedForgotten,

    // Connections.
    /// the nonce not looked at
    NonceUnchecked,
    /// who waits for a connection is not told that it failed
    WaitingForgotten,
    /// a silent connection waited for, for ever
    SilenceForgiven,
    /// a connection that is not made waited for, for ever
    DialsForEver,
    /// no connection after one that failed
    BackoffForEver,
    /// a connection that was given up is not closed
    NeverHangsUp,
    /// a subscription that is denied ends the connection
    SubscriptionNeeded,
    /// no HELLO is a refusal
    HelloNeeded,
    /// no AUTH without HELLO
    AuthForgotten,
    /// that a script is unknown is not told to who asked
    UnknownUnheard,
    /// a script that is unknown is asked for by its hash again
    UnknownForgotten,

    // The fair queue.
    /// a ticket by the time
    TicketByTime,
    /// places of live waiters purged
    PurgesLive,
    /// newcomers barge
    Barging,
    /// a place kept for no longer than an attempt takes
    PlaceLeaseShort,
    /// who is served does not keep its client's other places
    ServedUnheard,
    /// the next in line of a client begins a pause of its own
    HeartbeatRestarts,
    /// who leaves stays in line
    StaysInLine,
    /// a single try stands in line
    TryStandsInLine,
    /// a hint of 0
    HintOfZero,
    /// the next in line not woken
    WakesNobody,
    /// the next in line of a client not told to ask
    NextNotTold,
    /// the head of a queue that nobody knows of is left there
    HeadForgotten,

    // Several keys, and fences.
    /// of several keys, those of others taken too
    TakesForeignKeys,
    /// a key named twice counts twice
    DuplicatesCount,
    /// a fence from the clock alone
    FenceFromClock,
    /// a fence counter that ends with the lease
    FenceForgotten,
}

/// Whether this bug is planted.
#[cfg(not(planted))]
pub(crate) const fn planted(_: Planted) -> bool {
    false
}

#[cfg(planted)]
pub use selector::{plant, planted};

#[cfg(planted)]
mod selector {
    use super::Planted;
    use core::cell::Cell;

    thread_local! {
        static CHOSEN: Cell<Option<Planted>> = const { Cell::new(None) };
    }

    /// Plants this bug in all that runs in this thread, in place of the one before.
    pub fn plant(bug: Option<Planted>) {
        CHOSEN.set(bug);
    }

    /// Whether this bug is planted.
    #[must_use]
    pub fn planted(bug: Planted) -> bool {
        CHOSEN.get() == Some(bug)
    }
}
