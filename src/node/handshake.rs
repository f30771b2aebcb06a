//! The commands that prepare a new connection.
//!
//! ```text
//! Hello --map--> Subscribe --push or error--> Select --OK--> done   (HELLO 3 AUTH user password SETNAME redlatch)
//!   |                                           ^
//!   '--no such command--> Auth --------OK-------'                   (servers before Redis 6, and proxies: RESP2)
//! ```
//! Steps that are not needed are left out. If SUBSCRIBE is denied, the client only loses its wake-ups. Any other error
//! ends the connection: commands must not run without authentication or in another database.

use super::endpoint::Endpoint;
use crate::resp::{Reply, encode};

/// The step whose reply is awaited.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Handshake {
    Hello,
    Subscribe,
    Auth,
    Select,
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
    pub(crate) fn begin(endpoint: &Endpoint, out: &mut Vec<u8>) -> Self {
        let mut arguments: Vec<&[u8]> = vec![b"HELLO", b"3"];
        if endpoint.has_credentials() {
            arguments.extend([b"AUTH".as_slice(), endpoint.user_or_default(), endpoint.password.as_bytes()]);
        }
        arguments.extend([b"SETNAME".as_slice(), b"redlatch"]);
        encode(&arguments, out);
        Self::Hello
    }

    /// Takes the reply to this step and writes the next step.
    pub(crate) fn on_reply<'a>(
        self,
        reply: &Reply<'a>,
        endpoint: &Endpoint,
        channel: &[u8],
        out: &mut Vec<u8>,
    ) -> Next<'a> {
        match (self, reply) {
            (Self::Hello, Reply::Opaque) => {
                encode(&[b"SUBSCRIBE", channel], out);
                Next::Await(Self::Subscribe)
            }
            (Self::Hello, Reply::Array(_)) => Self::select(endpoint, out),
            (Self::Subscribe, Reply::Push(_) | Reply::Error(_)) => Self::select(endpoint, out),
            (Self::Hello, Reply::Error(line)) if lacks_hello(line) => Self::auth(endpoint, out),
            (Self::Auth, Reply::Simple(b"OK")) => Self::select(endpoint, out),
            (Self::Select, Reply::Simple(b"OK")) => Next::Done,
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

/// Whether an error reply to HELLO means that the server speaks only RESP2, and not that it refuses the client.
fn lacks_hello(line: &[u8]) -> bool {
    let begins = |with: &[u8]| line.get(..with.len()).is_some_and(|start| start.eq_ignore_ascii_case(with));
    begins(b"NOPROTO")
        || begins(b"ERR unknown command")
        || begins(b"ERR unknown subcommand")
        || begins(b"ERR wrong number of arguments")
}

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
        let step = Handshake::begin(&endpoint, &mut out);
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
