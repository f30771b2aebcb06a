//! Reads the redirects of a cluster.

use super::{address::Announced, slots::Slot};
use crate::resp::natural;

/// A server's word that a slot's commands go elsewhere. It has done nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Redirect {
    pub(crate) kind: RedirectKind,
    pub(crate) slot: Slot,
    pub(crate) to: Announced,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RedirectKind {
    /// The slot is that server's.
    Moved,
    /// The slot is on its way to that server, which takes this command alone, behind ASKING.
    Ask,
}

impl Redirect {
    /// Reads an error reply: `MOVED <slot> <host>:<port>` or `ASK <slot> <host>:<port>`. `None` for all else and for
    /// anything odd, which stays an error.
    pub(crate) fn read(message: &str) -> Option<Self> {
        let mut words = message.as_bytes().split(|&byte| byte == b' ');
        let kind = match words.next()? {
            b"MOVED" => RedirectKind::Moved,
            b"ASK" => RedirectKind::Ask,
            _ => return None,
        };
        let slot = natural(words.next()?).and_then(Slot::new)?;
        let to = Announced::read(words.next()?)?;
        words.next().is_none().then_some(Self { kind, slot, to })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirects_of_a_real_server() {
        let moved = Redirect::read("MOVED 7495 127.0.0.1:7101").unwrap();
        assert_eq!((moved.kind, moved.slot), (RedirectKind::Moved, Slot::new(7495).unwrap()));
        assert_eq!(Announced::read(b"127.0.0.1:7101"), Some(moved.to));
        let ask = Redirect::read("ASK 0 :7102").unwrap();
        assert_eq!((ask.kind, ask.slot), (RedirectKind::Ask, Slot::new(0).unwrap()));
    }

    #[test]
    fn anything_odd_stays_an_error() {
        for line in [
            "MOVED",
            "MOVED 1",
            "MOVED 1 ",
            "MOVED 16384 a:1",
            "MOVED -1 a:1",
            "MOVED 1 ?:7102",
            "MOVED 1 a:1 b:1",
            "MOVED  1 a:1",
            "moved 1 a:1",
            "REDIRECT a:1",
            "ERR MOVED 1 a:1",
        ] {
            assert_eq!(Redirect::read(line), None, "{line}");
        }
    }
}
