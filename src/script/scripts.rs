//! The table of the server scripts, with the SHA-1 under which the server caches each.
//!
//! `lua/README.md` states the contract of all scripts; each file's header states its parts, keys, arguments and reply.

use super::{
    answer::Returns,
    keys::KeyRole::{self, Lock, Positions, Queue, Registrations},
    source,
};

/// A server script.
#[derive(Clone, Copy, Eq)]
pub struct Script {
    /// The name of the file in `lua/`, and of the script in errors.
    pub name: &'static str,
    /// The text for EVAL: the script's parts and its own file, without comments.
    pub source: &'static str,
    /// SHA-1 of `source` in lower-case hexadecimal, for EVALSHA.
    pub sha1: [u8; 40],
    /// The form of the reply after the nonce.
    pub returns: Returns,
    /// The key roles of each lock key, in the order of KEYS. A call may leave out those behind the lock key.
    pub layout: &'static [KeyRole],
    /// Whether one call may concern several independent locks.
    pub serves_several: bool,
}

/// By name, which is unique. To compare the sources would take longer than the rest of a command.
impl PartialEq for Script {
    fn eq(&self, other: &Self) -> bool {
        core::ptr::eq(self, other) || self.name == other.name
    }
}

/// By name, too.
impl core::hash::Hash for Script {
    fn hash<H: core::hash::Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

impl core::fmt::Debug for Script {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.name)
    }
}

macro_rules! script {
    ($(#[$doc:meta])* $constant:ident, $name:literal, [$($part:literal),*], $returns:expr, $layout:expr, $several:expr) => {
        $(#[$doc])*
        pub static $constant: Script = {
            const FILES: &[&str] = &[
                $(include_str!(concat!("../../lua/lib/", $part, ".lua")),)*
                include_str!(concat!("../../lua/", $name, ".lua")),
            ];
            const SOURCE: [u8; source::length(FILES)] = source::join(FILES);
            Script::new($name, &SOURCE, $returns, &$layout, $several)
        };
    };
}

script!(
    /// Takes the keys of independent locks, and registers those that wait.
    EXCLUSIVE_ACQUIRE,
    "exclusive_acquire",
    ["clock", "expiry", "claim", "fence"],
    Returns::Grants,
    [Lock, Registrations],
    true
);
script!(
    /// Takes all keys of one lock, or none.
    MULTI_ACQUIRE,
    "multi_acquire",
    ["clock", "expiry", "claim", "fence"],
    Returns::Grants,
    [Lock, Registrations],
    false
);
script!(
    /// Raises the fence counter to the fence of a lock that has keys in several slots.
    RAISE_FENCE,
    "raise_fence",
    ["fence"],
    Returns::Flag,
    [Lock],
    false
);
script!(
    /// Extends the lease of keys, or only verifies that they hold their value.
    EXTEND,
    "extend",
    [],
    Returns::Flag,
    [Lock],
    true
);
script!(
    /// Claims the keys of a lock that a token holds.
    ADOPT,
    "adopt",
    ["claim"],
    Returns::Flag,
    [Lock],
    false
);
script!(
    /// Deletes the keys that hold their value.
    EXCLUSIVE_RELEASE,
    "exclusive_release",
    ["release"],
    Returns::Count,
    [Lock, Registrations],
    true
);
script!(
    /// Takes all keys if the waiter is the head of every queue, or joins the queues.
    FAIR_ACQUIRE,
    "fair_acquire",
    ["clock", "expiry", "claim", "fence", "queue"],
    Returns::Grants,
    [Lock, Queue, Positions],
    false
);
script!(
    /// Deletes the keys that hold their value, and removes a waiter from the queues.
    FAIR_RELEASE,
    "fair_release",
    ["clock", "queue", "release"],
    Returns::Count,
    [Lock, Queue, Positions],
    false
);

impl Script {
    /// Every script.
    pub const ALL: [&'static Self; 8] = [
        &EXCLUSIVE_ACQUIRE,
        &MULTI_ACQUIRE,
        &RAISE_FENCE,
        &EXTEND,
        &ADOPT,
        &EXCLUSIVE_RELEASE,
        &FAIR_ACQUIRE,
        &FAIR_RELEASE,
    ];

    /// Whether it grants or extends, and does not only release.
    pub(crate) fn grants(&self) -> bool {
        self.returns != Returns::Count
    }

    #[allow(clippy::panic, reason = "evaluated at compile time, where a panic is a compile error")]
    const fn new(
        name: &'static str,
        source: &'static [u8],
        returns: Returns,
        layout: &'static [KeyRole],
        serves_several: bool,
    ) -> Self {
        let sha1 = hex(const_sha1::sha1(source).as_bytes());
        let Ok(source) = core::str::from_utf8(source) else { panic!("a script is not in UTF-8") };
        Self { name, source, sha1, returns, layout, serves_several }
    }

    /// The script with this source, as EVAL names it.
    #[must_use]
    pub fn by_source(source: &[u8]) -> Option<&'static Self> {
        Self::ALL.into_iter().find(|script| script.source.as_bytes() == source)
    }

    /// The script with this SHA-1 in lower-case hexadecimal, as EVALSHA names it.
    #[must_use]
    pub fn by_sha1(sha1: &[u8]) -> Option<&'static Self> {
        Self::ALL.into_iter().find(|script| script.sha1 == sha1)
    }
}

#[allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    reason = "evaluated at compile time, where going out of bounds is a compile error"
)]
const fn hex(bytes: [u8; 20]) -> [u8; 40] {
    let digits = b"0123456789abcdef";
    let mut text = [0; 40];
    let mut i = 0;
    while i < 40 {
        let byte = bytes[i / 2];
        text[i] = digits[(if i % 2 == 0 { byte >> 4 } else { byte & 15 }) as usize];
        i += 1;
    }
    text
}
