//! The server scripts: one constant each, with the name the server caches it under.
//!
//! `lua/README.md` says what all of them keep to; each file's header states its keys, arguments and reply.

mod answer;
mod calls;
mod keys;
mod verb;

pub use answer::{Answer, Returns};
pub(crate) use calls::{
    Argument, Call, Holder, MOST_ARGUMENTS, Registration, exclusive_acquire, exclusive_release, extend,
    fair_acquire, fair_release,
};
pub use keys::KeyRole;
pub(crate) use keys::{LockKeys, into_sorted_set, is_reserved};
pub(crate) use verb::{Verb, Waiter};

use KeyRole::{Fence, Lock, Positions, Queue, Registrations};

/// A server script.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Script {
    /// `<kind>_<verb>`, as the file in `lua/`: what errors call the command.
    pub name: &'static str,
    /// The text that is sent: the file without its header.
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
    ($(#[$doc:meta])* $constant:ident, $name:literal, $returns:expr, $layout:expr) => {
        $(#[$doc])*
        pub static $constant: Script = Script::new($name, include_str!(concat!("../../lua/", $name, ".lua")), $returns, &$layout);
    };
}

script!(
    /// Takes every key for one token, or none.
    EXCLUSIVE_ACQUIRE,
    "exclusive_acquire",
    Returns::FenceOrWait,
    [Lock, Fence, Registrations]
);
script!(
    /// Lengthens the lease of every key, or only asks whose they are.
    EXTEND,
    "extend",
    Returns::Flag,
    [Lock, Fence]
);
script!(
    /// Deletes those of the keys that the token holds.
    EXCLUSIVE_RELEASE,
    "exclusive_release",
    Returns::Count,
    [Lock, Fence, Registrations]
);
script!(
    /// Takes every key if it is one's turn everywhere, or waits in line.
    FAIR_ACQUIRE,
    "fair_acquire",
    Returns::FenceOrWait,
    [Lock, Fence, Queue, Positions]
);
script!(
    /// Deletes those of the keys that the token holds, and gives up its places.
    FAIR_RELEASE,
    "fair_release",
    Returns::Count,
    [Lock, Fence, Queue, Positions]
);

impl Script {
    /// Every script.
    pub const ALL: [&'static Self; 5] =
        [&EXCLUSIVE_ACQUIRE, &EXTEND, &EXCLUSIVE_RELEASE, &FAIR_ACQUIRE, &FAIR_RELEASE];

    const fn new(
        name: &'static str,
        file: &'static str,
        returns: Returns,
        layout: &'static [KeyRole],
    ) -> Self {
        let source = without_header(file);
        Self { name, source, sha1: hex(const_sha1::sha1(source.as_bytes()).as_bytes()), returns, layout }
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

/// The file from its first line that is no comment: the server need not store prose.
#[allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "evaluated when compiled, where going out of bounds is an error"
)]
const fn without_header(file: &str) -> &str {
    let bytes = file.as_bytes();
    let mut line = 0;
    while bytes[line] == b'-' && bytes[line + 1] == b'-' {
        while bytes[line] != b'\n' {
            line += 1;
        }
        line += 1;
    }
    file.split_at(line).1
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

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [(&Script, &str); 5] = [
        (&EXCLUSIVE_ACQUIRE, include_str!("../../lua/exclusive_acquire.lua")),
        (&EXTEND, include_str!("../../lua/extend.lua")),
        (&EXCLUSIVE_RELEASE, include_str!("../../lua/exclusive_release.lua")),
        (&FAIR_ACQUIRE, include_str!("../../lua/fair_acquire.lua")),
        (&FAIR_RELEASE, include_str!("../../lua/fair_release.lua")),
    ];

    #[test]
    fn every_header_names_the_script_and_its_contract() {
        for (script, file) in ALL {
            let header = file.strip_suffix(script.source).unwrap();
            assert!(header.lines().all(|line| line.starts_with("--")), "{script:?}");
            assert!(header.starts_with(&format!("-- {}: ", script.name)), "{script:?}");
            for section in ["-- KEYS: ", "-- ARGV: nonce, token", "-- RETURNS: {nonce, "] {
                assert!(header.contains(section), "{script:?} lacks {section:?}");
            }
        }
    }

    #[test]
    fn every_file_is_in_the_table() {
        let files = std::fs::read_dir("lua")
            .unwrap()
            .filter(|file| file.as_ref().unwrap().path().extension().is_some_and(|e| e == "lua"));
        assert_eq!(files.count(), ALL.len());
    }

    #[test]
    fn header_is_not_sent() {
        for (script, _) in ALL {
            assert!(script.source.starts_with("local nonce, token"), "{script:?}");
        }
    }
}
