//! The commands that prepare a new connection.
//!
//! ```text
//! Hello --map--> Subscribe --push or error--> Select --OK--> done   (HELLO 3 AUTH user password SETNAME redlatch)
//!   |                                           ^
//!   '--refused---> Auth ----------------OK------'                   (servers before Redis 6, and proxies: RESP2)
//! ```
//! Steps that are not needed are left out. A connection that speaks RESP2 from the start begins with Auth or Select, or
//! with Ping if it needs neither. If SUBSCRIBE is denied, the client only loses its wake-ups. Any other error ends the
//! connection: commands must not run without authentication or in another database.
//!
//! Servers and proxies refuse HELLO in many words, so every refusal leads to RESP2, unless it says that this client, or
//! for now every client, is refused.

use super::{endpoint::Endpoint, error_reply};
use crate::resp::{Frame, Reply, encode, value_of};

/// The protocol version in which a connection begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) enum Dialect {
    #[default]
    Resp3,
    Resp2,
}

/// The step whose reply is awaited.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Handshake {
    Hello,
    Subscribe,
    Auth,
    Select,
    Ping,
}

/// What to do after a step's reply.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next<'a> {
    Await(Handshake),
    Done,
    Refused(&'a [u8]),
    /// No server replies like this to this step.
    Mismatch,
}

impl Handshake {
    /// Writes the first step.
    pub(super) fn begin(dialect: Dialect, endpoint: &Endpoint, out: &mut Vec<u8>) -> Self {
        match dialect {
            Dialect::Resp3 => Self::hello(endpoint, out),
            Dialect::Resp2 => match Self::auth(endpoint, out) {
                Next::Await(step) => step,
                // A reply to PING shows that the server talks to us at all.
                Next::Done | Next::Refused(_) | Next::Mismatch => {
                    encode(&[b"PING"], out);
                    Self::Ping
                }
            },
        }
    }

    fn hello(endpoint: &Endpoint, out: &mut Vec<u8>) -> Self {
        let mut arguments: Vec<&[u8]> = vec![b"HELLO", b"3"];
        if endpoint.has_credentials() {
            arguments.extend([b"AUTH".as_slice(), endpoint.user_or_default(), endpoint.password.as_bytes()]);
        }
        arguments.extend([b"SETNAME".as_slice(), b"redlatch"]);
        encode(&arguments, out);
        Self::Hello
    }

    /// Takes the reply to this step and writes the next step. An empty `channel` is not subscribed to.
    pub(crate) fn on_reply<'a>(
        self,
        reply: &Reply<'a>,
        endpoint: &Endpoint,
        channel: &[u8],
        out: &mut Vec<u8>,
    ) -> Next<'a> {
        match (self, reply) {
            (Self::Hello, Reply::Opaque) if !channel.is_empty() => {
                encode(&[b"SUBSCRIBE", channel], out);
                Next::Await(Self::Subscribe)
            }
            (Self::Hello, Reply::Opaque | Reply::Array(_)) => Self::select(endpoint, out),
            (Self::Subscribe, Reply::Push(_) | Reply::Error(_)) => Self::select(endpoint, out),
            (Self::Hello, Reply::Error(line)) if !refuses_client(line, endpoint) => Self::auth(endpoint, out),
            (Self::Auth, Reply::Simple(b"OK")) => Self::select(endpoint, out),
            (Self::Select, Reply::Simple(b"OK")) | (Self::Ping, Reply::Simple(_)) => Next::Done,
            // A user may lack the right to PING, and a proxy the command.
            (Self::Ping, Reply::Error(line)) if line.starts_with(b"NOPERM") => Next::Done,
            (Self::Ping, Reply::Error(line)) if !refuses_client(line, endpoint) => Next::Done,
            (_, Reply::Error(line)) => Next::Refused(line),
            _ => Next::Mismatch,
        }
    }

    fn auth<'a>(endpoint: &Endpoint, out: &mut Vec<u8>) -> Next<'a> {
        if !endpoint.has_credentials() {
            return Self::select(endpoint, out);
        }
        // Servers without HELLO have one password and no users.
        let mut arguments: Vec<&[u8]> =
            vec![b"AUTH", endpoint.user_or_default(), endpoint.password.as_bytes()];
        if endpoint.user_or_default() == b"default" {
            arguments.remove(1);
        }
        encode(&arguments, out);
        Next::Await(Self::Auth)
    }

    fn select<'a>(endpoint: &Endpoint, out: &mut Vec<u8>) -> Next<'a> {
        if endpoint.database == 0 {
            return Next::Done;
        }
        let mut database = Vec::new();
        crate::resp::push_decimal(u64::from(endpoint.database), &mut database);
        encode(&[b"SELECT", &database], out);
        Next::Await(Self::Select)
    }
}

/// Whether an error reply refuses this client, or for now every client, and not only HELLO.
fn refuses_client(line: &[u8], endpoint: &Endpoint) -> bool {
    let error = error_reply::parse(line, "");
    let prefix = error.prefix.as_str();
    error.transient
        || ["WRONGPASS", "NOPERM", "DENIED"].contains(&prefix)
        || prefix == "NOAUTH" && !endpoint.has_credentials()
}

/// Whether a reply to HELLO says that the server is a replica. Servers that copy another one but accept writes give their
/// role another name.
pub(super) fn is_replica(hello: Frame<'_>) -> bool {
    value_of(hello, b"role").is_some_and(|role| [b"replica".as_slice(), b"slave"].contains(&role))
}

/// Whether a reply to HELLO says that the server is part of a cluster.
pub(super) fn is_cluster(hello: Frame<'_>) -> bool {
    value_of(hello, b"mode") == Some(b"cluster")
}

/// What a replica's reply to HELLO counts as: the error with which it would answer a write.
pub(super) const REPLICA: &[u8] = b"READONLY the server says that it is a replica; locks need the master";

#[cfg(test)]
mod tests {
    use super::*;

    const CHANNEL: &[u8] = b"redlatch:wake:c1";

    fn endpoint(user: &str, password: &str, database: u32) -> Endpoint {
        Endpoint { user: user.into(), password: password.into(), database, ..Endpoint::default() }
    }

    fn written(out: &mut Vec<u8>) -> String {
        String::from_utf8(std::mem::take(out)).unwrap().replace("\r\n", " ")
    }

    #[test]
    fn modern_server_with_user_and_database() {
        let (endpoint, mut out) = (endpoint("ann", "s3cret", 7), Vec::new());
        let step = Handshake::begin(Dialect::Resp3, &endpoint, &mut out);
        assert_eq!(written(&mut out), "*7 $5 HELLO $1 3 $4 AUTH $3 ann $6 s3cret $7 SETNAME $8 redlatch ");
        assert_eq!(
            step.on_reply(&Reply::Opaque, &endpoint, CHANNEL, &mut out),
            Next::Await(Handshake::Subscribe)
        );
        assert_eq!(written(&mut out), "*2 $9 SUBSCRIBE $16 redlatch:wake:c1 ");
        let subscribed =
            Reply::Push(vec![Reply::Bulk(b"subscribe"), Reply::Bulk(CHANNEL), Reply::Integer(1)]);
        assert_eq!(
            Handshake::Subscribe.on_reply(&subscribed, &endpoint, CHANNEL, &mut out),
            Next::Await(Handshake::Select)
        );
        assert_eq!(written(&mut out), "*2 $6 SELECT $1 7 ");
        assert_eq!(
            Handshake::Select.on_reply(&Reply::Simple(b"OK"), &endpoint, CHANNEL, &mut out),
            Next::Done
        );
    }

    #[test]
    fn server_without_hello_gets_auth_and_select() {
        let (endpoint, mut out) = (endpoint("", "s3cret", 1), Vec::new());
        let unknown = Reply::Error(b"ERR unknown command `HELLO`, with args beginning with: `3`");
        assert_eq!(
            Handshake::Hello.on_reply(&unknown, &endpoint, CHANNEL, &mut out),
            Next::Await(Handshake::Auth)
        );
        assert_eq!(written(&mut out), "*2 $4 AUTH $6 s3cret ");
        assert_eq!(
            Handshake::Auth.on_reply(&Reply::Simple(b"OK"), &endpoint, CHANNEL, &mut out),
            Next::Await(Handshake::Select)
        );
    }

    #[test]
    fn plain_old_server_is_ready_at_once() {
        let (endpoint, mut out) = (endpoint("", "", 0), Vec::new());
        assert_eq!(
            Handshake::Hello.on_reply(&Reply::Error(b"NOPROTO sorry"), &endpoint, CHANNEL, &mut out),
            Next::Done
        );
        assert!(out.is_empty());
    }

    #[test]
    fn refusals_and_nonsense_end_the_connection() {
        let (endpoint, mut out) = (endpoint("", "", 0), Vec::new());
        for line in [
            b"NOAUTH Authentication required.".as_slice(),
            b"WRONGPASS invalid",
            b"ERR max number of clients reached",
            b"DENIED protected",
        ] {
            assert_eq!(
                Handshake::Hello.on_reply(&Reply::Error(line), &endpoint, CHANNEL, &mut out),
                Next::Refused(line)
            );
        }
        assert_eq!(
            Handshake::Select.on_reply(
                &Reply::Error(b"ERR DB index is out of range"),
                &endpoint,
                CHANNEL,
                &mut out
            ),
            Next::Refused(b"ERR DB index is out of range")
        );
        assert_eq!(
            Handshake::Hello.on_reply(&Reply::Simple(b"HTTP"), &endpoint, CHANNEL, &mut out),
            Next::Mismatch
        );
    }
}
