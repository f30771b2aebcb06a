//! The addresses of servers, as servers announce them.

use std::rc::Rc;

use crate::{
    id::NodeId,
    resp::{natural, push_decimal},
};

/// The most characters of a host name (RFC 1035, section 2.3.4, as text).
const LONGEST_HOST: usize = 253;

/// A host and a port, as a cluster announces them. Where they lead, the driver decides, which dials them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Address {
    host: Rc<str>,
    port: u16,
}

impl Address {
    /// Reads `host:port`. An IPv6 address needs no brackets: the port follows the last colon.
    pub(crate) fn read(text: &[u8]) -> Option<Self> {
        Announced::read(text)?.whole()
    }

    /// A host and a port. `None` if one of them is odd or missing.
    pub(crate) fn of(host: &[u8], port: u64) -> Option<Self> {
        Announced::of(host, port)?.whole()
    }

    /// `host:port`.
    pub(crate) fn text(&self) -> String {
        let mut port = Vec::new();
        push_decimal(self.port.into(), &mut port);
        [&*self.host, ":", &String::from_utf8_lossy(&port)].concat()
    }
}

/// The number of the server with this address. A new one is added, unless there are as many as `most`.
pub(crate) fn number(
    known: &mut Vec<(NodeId, Address)>,
    address: Address,
    most: usize,
    intern: &mut impl FnMut() -> NodeId,
) -> Option<NodeId> {
    if let Some(&(node, _)) = known.iter().find(|(_, each)| *each == address) {
        return Some(node);
    }
    if known.len() >= most {
        return None;
    }
    let node = intern();
    known.push((node, address));
    Some(node)
}

/// An address in a reply. What is missing in it is as at the server that replied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Announced {
    host: Option<Rc<str>>,
    port: Option<u16>,
}

impl Announced {
    /// Reads `host:port`, `:port` or `host:0`. `None` for all else, such as `?:6379`, which means that the server does not know.
    pub(crate) fn read(text: &[u8]) -> Option<Self> {
        let colon = text.iter().rposition(|&byte| byte == b':')?;
        let (host, port) = text.split_at_checked(colon)?;
        Self::of(host, natural(port.get(1..)?)?)
    }

    /// The parts of an address; an empty host and port 0 for what is missing.
    pub(crate) fn of(host: &[u8], port: u64) -> Option<Self> {
        let port = u16::try_from(port).ok()?;
        let is_host = |&byte: &u8| byte.is_ascii_alphanumeric() || b"._:-".contains(&byte);
        if host.len() > LONGEST_HOST || !host.iter().all(is_host) {
            return None;
        }
        let host = core::str::from_utf8(host).ok().filter(|host| !host.is_empty());
        Some(Self { host: host.map(Rc::from), port: Some(port).filter(|&port| port > 0) })
    }

    /// The address, if nothing is missing in it.
    pub(crate) fn whole(self) -> Option<Address> {
        Some(Address { host: self.host?, port: self.port? })
    }

    /// The whole address, if the server at `from` announced it.
    pub(crate) fn from(self, from: &Address) -> Address {
        Address {
            host: self.host.unwrap_or_else(|| Rc::clone(&from.host)),
            port: self.port.unwrap_or(from.port),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_addresses_are_read() {
        for text in ["127.0.0.1:7000", "::1:7000", "a-1.example.com:1", "x_y:65535"] {
            assert_eq!(Address::read(text.as_bytes()).unwrap().text(), text);
        }
    }

    #[test]
    fn what_is_missing_is_as_at_the_server_that_announced_it() {
        let own = Address::read(b"10.0.0.1:7000").unwrap();
        for (announced, whole) in [(":7001", "10.0.0.1:7001"), ("b:0", "b:7000"), ("b:7001", "b:7001")] {
            assert_eq!(Announced::read(announced.as_bytes()).unwrap().from(&own).text(), whole);
        }
        assert_eq!(Address::read(b":7001"), None, "a seed is whole");
        assert_eq!(Address::read(b"b:0"), None);
    }

    #[test]
    fn odd_addresses_are_refused() {
        for text in [
            "", "a", "a:", "a:x", "a:+1", "a:-1", "a:65536", "?:7000", "a b:1", "a/b:1", "[::1]:1",
            "\u{e9}:1",
        ] {
            assert_eq!(Announced::read(text.as_bytes()), None, "{text}");
        }
        assert_eq!(Announced::read(&[vec![b'a'; 254], b":1".to_vec()].concat()), None);
    }
}
