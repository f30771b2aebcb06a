//! The server scripts: one constant each, with the name the server caches it under.
//!
//! `lua/README.md` says what all of them keep to; each file's header states its keys, arguments and reply.

use crate::{resp::Reply, time::Duration};

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
}

/// The forms of reply that scripts have, behind the nonce.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Returns {
    /// `1, fence` or `0, pttl` or `0, pttl, joined, ahead`
    FenceOrWait,
    /// `1` or `0`
    Flag,
    /// A number of keys
    Count,
}

/// A script's reply, behind the nonce.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Answer {
    /// Granted, with this fencing token.
    Fence(u64),
    /// Held by another, or not one's turn.
    Wait {
        /// For this long at most; `None` for ever.
        left: Option<Duration>,
        /// Whether there was no place in line before, or it was lost.
        joined: bool,
        /// Another waiter of this client that is the head of a queue, by its lock's number; 0 if there is none.
        ahead: u32,
    },
    /// Yes or no.
    Flag(bool),
    /// So many keys.
    Count(u64),
}

impl Returns {
    /// Reads a reply without its nonce; `None` if it does not have this form.
    #[must_use]
    pub fn read(self, reply: &[Reply<'_>]) -> Option<Answer> {
        match (self, reply) {
            (Self::FenceOrWait, [Reply::Integer(1), Reply::Bulk(fence)]) => {
                Some(Answer::Fence(decimal(fence)?))
            }
            (Self::FenceOrWait, [Reply::Integer(0), Reply::Integer(wait)]) => wait_of(*wait, false, 0),
            (
                Self::FenceOrWait,
                [Reply::Integer(0), Reply::Integer(wait), Reply::Integer(joined), Reply::Integer(ahead)],
            ) => wait_of(*wait, *joined == 1, u32::try_from(*ahead).ok()?),
            (Self::Flag, [Reply::Integer(flag @ (0 | 1))]) => Some(Answer::Flag(*flag == 1)),
            (Self::Count, [Reply::Integer(count)]) => Some(Answer::Count(u64::try_from(*count).ok()?)),
            _ => None,
        }
    }
}

/// A wait in ms, or -1 for ever.
fn wait_of(millis: i64, joined: bool, ahead: u32) -> Option<Answer> {
    let left = if millis == -1 { None } else { Some(Duration::from_millis(u64::try_from(millis).ok()?)) };
    Some(Answer::Wait { left, joined, ahead })
}

/// A fencing token: a decimal number above 0.
fn decimal(text: &[u8]) -> Option<u64> {
    let text =
        core::str::from_utf8(text).ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))?;
    text.parse().ok().filter(|&number| number > 0)
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
    ($(#[$doc:meta])* $constant:ident, $name:literal, $returns:expr) => {
        $(#[$doc])*
        pub static $constant: Script = Script::new($name, include_str!(concat!("../lua/", $name, ".lua")), $returns);
    };
}

script!(
    /// Takes every key for one token, or none.
    EXCLUSIVE_ACQUIRE,
    "exclusive_acquire",
    Returns::FenceOrWait
);
script!(
    /// Lengthens the lease of every key, or only asks whose they are.
    EXCLUSIVE_EXTEND,
    "exclusive_extend",
    Returns::Flag
);
script!(
    /// Deletes those of the keys that the token holds.
    EXCLUSIVE_RELEASE,
    "exclusive_release",
    Returns::Count
);
script!(
    /// Takes every key if it is one's turn everywhere, or waits in line.
    FAIR_ACQUIRE,
    "fair_acquire",
    Returns::FenceOrWait
);
script!(
    /// Deletes those of the keys that the token holds, and gives up its places.
    FAIR_RELEASE,
    "fair_release",
    Returns::Count
);

impl Script {
    const fn new(name: &'static str, file: &'static str, returns: Returns) -> Self {
        let source = without_header(file);
        Self { name, source, sha1: hex(const_sha1::sha1(source.as_bytes()).as_bytes()), returns }
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
        (&EXCLUSIVE_ACQUIRE, include_str!("../lua/exclusive_acquire.lua")),
        (&EXCLUSIVE_EXTEND, include_str!("../lua/exclusive_extend.lua")),
        (&EXCLUSIVE_RELEASE, include_str!("../lua/exclusive_release.lua")),
        (&FAIR_ACQUIRE, include_str!("../lua/fair_acquire.lua")),
        (&FAIR_RELEASE, include_str!("../lua/fair_release.lua")),
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
