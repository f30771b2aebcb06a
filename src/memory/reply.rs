//! Replies, and their encoding in RESP2 and RESP3.

use crate::resp::push_header;

/// The protocol version of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Protocol {
    Resp2,
    Resp3,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Reply {
    Simple(&'static str),
    Integer(i64),
    Bulk(Vec<u8>),
    Null,
    Array(Vec<Self>),
    Map(Vec<(Self, Self)>),
    /// The score of a member, for which RESP3 has a type.
    Score(i64),
    /// A member with its score, which RESP3 nests as a pair.
    Scored(Vec<(Vec<u8>, i64)>),
    /// A push in RESP3, an array in RESP2.
    Push(Vec<Self>),
    /// Several replies, one after the other.
    Several(Vec<Self>),
}

impl Reply {
    pub(super) const OK: Self = Self::Simple("OK");

    pub(super) fn bulk(text: impl AsRef<[u8]>) -> Self {
        Self::Bulk(text.as_ref().to_vec())
    }

    /// A length as an integer.
    pub(super) fn count(count: usize) -> Self {
        Self::Integer(i64::try_from(count).unwrap_or(i64::MAX))
    }

    pub(super) fn encode(&self, protocol: Protocol, out: &mut Vec<u8>) {
        let is_new = protocol == Protocol::Resp3;
        let all =
            |items: &[Self], out: &mut Vec<u8>| items.iter().for_each(|item| item.encode(protocol, out));
        match self {
            Self::Simple(text) => line(b'+', text.as_bytes(), out),
            Self::Integer(number) => line(b':', number.to_string().as_bytes(), out),
            Self::Bulk(text) => {
                push_header(b'$', text.len(), out);
                out.extend_from_slice(text);
                out.extend_from_slice(b"\r\n");
            }
            Self::Null if is_new => line(b'_', b"", out),
            Self::Null => line(b'$', b"-1", out),
            Self::Array(items) => {
                push_header(b'*', items.len(), out);
                all(items, out);
            }
            Self::Push(items) => {
                push_header(if is_new { b'>' } else { b'*' }, items.len(), out);
                all(items, out);
            }
            Self::Map(pairs) => {
                let (kind, each) = if is_new { (b'%', 1) } else { (b'*', 2) };
                push_header(kind, pairs.len().saturating_mul(each), out);
                for (key, value) in pairs {
                    key.encode(protocol, out);
                    value.encode(protocol, out);
                }
            }
            Self::Score(score) if is_new => line(b',', score.to_string().as_bytes(), out),
            Self::Score(score) => Self::bulk(score.to_string()).encode(protocol, out),
            Self::Scored(pairs) => {
                push_header(b'*', pairs.len().saturating_mul(if is_new { 1 } else { 2 }), out);
                for (member, score) in pairs {
                    if is_new {
                        push_header(b'*', 2, out);
                    }
                    Self::bulk(member).encode(protocol, out);
                    Self::Score(*score).encode(protocol, out);
                }
            }
            Self::Several(replies) => all(replies, out),
        }
    }
}

fn line(kind: u8, text: &[u8], out: &mut Vec<u8>) {
    out.push(kind);
    out.extend_from_slice(text);
    out.extend_from_slice(b"\r\n");
}

/// An error, in the words of Redis 7.0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ErrorReply(Vec<u8>);

impl ErrorReply {
    pub(super) fn new(text: impl AsRef<[u8]>) -> Self {
        Self(text.as_ref().to_vec())
    }

    pub(super) fn text(&self) -> &[u8] {
        &self.0
    }

    pub(super) fn wrong_type() -> Self {
        Self::new("WRONGTYPE Operation against a key holding the wrong kind of value")
    }

    pub(super) fn not_an_integer() -> Self {
        Self::new("ERR value is not an integer or out of range")
    }

    pub(super) fn syntax() -> Self {
        Self::new("ERR syntax error")
    }

    pub(super) fn bad_expiry(command: &str) -> Self {
        Self::new(format!("ERR invalid expire time in '{command}' command"))
    }

    /// The error for what a real server supports and the memory server does not. Redis has no error with this text, so
    /// nobody mistakes it for one of Redis.
    pub(super) fn beyond(what: &str) -> Self {
        Self::new(format!("ERR the memory server does not know {what}"))
    }

    /// The same, raised by a call inside a script.
    pub(super) fn in_script(mut self, sha1: &[u8], line: usize) -> Self {
        self.0.extend_from_slice(b" script: ");
        self.0.extend_from_slice(sha1);
        self.0.extend_from_slice(format!(", on @user_script:{line}.").as_bytes());
        self
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        let text: Vec<u8> =
            self.0.iter().map(|&byte| if byte == b'\r' || byte == b'\n' { b' ' } else { byte }).collect();
        line(b'-', &text, out);
    }
}
