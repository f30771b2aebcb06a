//! The server scripts: one constant each, with the name the server caches it under.
//!
//! `lua/README.md` says what all of them keep to; each file's header states its parts, keys, arguments and reply.

use super::{
    answer::Returns,
    keys::KeyRole::{self, Fence, Lock, Positions, Queue, Registrations},
    source,
};

/// A server script.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Script {
    /// `<kind>_<verb>`, as the file in `lua/`: what errors call the command.
    pub name: &'static str,
    /// The text that is sent: its parts and its own file, without comments.
    pub source: &'static str,
    /// SHA-1 of `source` in lower-case hexadecimal, for EVALSHA.
    pub sha1: [u8; 40],
    /// What the reply has behind the nonce.
    pub returns: Returns,
    /// The roles of the keys in KEYS, each for as many keys as there are lock keys.
    pub layout: &'static [KeyRole],
}

/// By name, of which there is one each.
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
    ($(#[$doc:meta])* $constant:ident, $name:literal, [$($part:literal),*], $returns:expr, $layout:expr) => {
        $(#[$doc])*
        pub static $constant: Script = {
            const FILES: &[&str] = &[
                $(include_str!(concat!("../../lua/lib/", $part, ".lua")),)*
                include_str!(concat!("../../lua/", $name, ".lua")),
            ];
            const SOURCE: [u8; source::length(FILES)] = source::join(FILES);
            Script::new($name, &SOURCE, $returns, &$layout)
        };
    };
}

script!(
    /// Takes every key for one token, or none.
    EXCLUSIVE_ACQUIRE,
    "exclusive_acquire",
    ["clock", "expiry", "fence", "acquire"],
    Returns::FenceOrWait,
    [Lock, Fence, Registrations]
);
script!(
    /// Lengthens the lease of every key, or only checks that the token holds them.
    EXTEND,
    "extend",
    ["expiry", "fence"],
    Returns::Flag,
    [Lock, Fence]
);
script!(
    /// Deletes those of the keys that the token holds.
    EXCLUSIVE_RELEASE,
    "exclusive_release",
    ["release"],
    Returns::Count,
    [Lock, Fence, Registrations]
);
script!(
    /// Takes every key if the waiter is first in every queue, or joins the queues.
    FAIR_ACQUIRE,
    "fair_acquire",
    ["clock", "expiry", "fence", "acquire", "queue"],
    Returns::FenceOrWait,
    [Lock, Fence, Queue, Positions]
);
script!(
    /// Deletes those of the keys that the token holds, and takes a waiter out of the queues.
    FAIR_RELEASE,
    "fair_release",
    ["clock", "queue", "release"],
    Returns::Count,
    [Lock, Fence, Queue, Positions]
);

impl Script {
    /// Every script.
    pub const ALL: [&'static Self; 5] =
        [&EXCLUSIVE_ACQUIRE, &EXTEND, &EXCLUSIVE_RELEASE, &FAIR_ACQUIRE, &FAIR_RELEASE];

    #[allow(clippy::panic, reason = "evaluated when compiled, where it is an error")]
    const fn new(
        name: &'static str,
        source: &'static [u8],
        returns: Returns,
        layout: &'static [KeyRole],
    ) -> Self {
        let sha1 = hex(const_sha1::sha1(source).as_bytes());
        let Ok(source) = core::str::from_utf8(source) else { panic!("a script is not in UTF-8") };
        Self { name, source, sha1, returns, layout }
    }

    /// The script that EVAL or EVALSHA names: by its source, or by the SHA-1 of it.
    #[must_use]
    pub fn find(named: &[u8]) -> Option<&'static Self> {
        Self::ALL.into_iter().find(|script| script.source.as_bytes() == named || script.sha1 == named)
    }

    /// The lock keys among KEYS; `None` if these are not KEYS of this script.
    #[must_use]
    pub fn lock_keys<'a, K>(&self, keys: &'a [K]) -> Option<&'a [K]> {
        self.keys(keys, KeyRole::Lock)
    }

    /// The keys of one role among KEYS; `None` if the script has none, or if these are not KEYS of this script.
    #[must_use]
    pub fn keys<'a, K>(&self, keys: &'a [K], role: KeyRole) -> Option<&'a [K]> {
        let roles = self.layout.len();
        let count =
            keys.len().checked_div(roles).filter(|count| count.checked_mul(roles) == Some(keys.len()))?;
        let place = self.layout.iter().position(|each| *each == role)?;
        keys.get(place.checked_mul(count)?..).and_then(|rest| rest.get(..count))
    }
}

#[allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    reason = "evaluated when compiled, where going out of bounds is an error"
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
