//! Error replies: what the application's error shows of them.

use arbitrary::{Result, Unstructured};
use redlatch::{Code, Endpoint, Event, LockError, Policy};

use super::world::{Client, one_attempt};

/// The texts that servers put around a client's words.
const PHRASES: [&str; 16] = [
    "ERR Error running script (call to f_00aa): @user_script:12: ",
    ", with args beginning with",
    ", with args beginning with: '3' 'AUTH' 'default' '",
    ": ",
    ": -",
    "@user_script: 12: ",
    "ERR max number of clients reached",
    "WRONGPASS invalid username-password pair",
    "MOVED 3999 127.0.0.1:6381",
    "ASK 99999 :70000",
    "NOSCRIPT",
    "READONLY ",
    "OOM ",
    "***",
    "é",
    " ",
];

/// From an error reply, to the handshake or to a command, the application's error shows only a prefix in
/// capitals and one line of at most 256 characters, without any part of the password, wherever the server put
/// it. Input: how to build both.
pub fn error_line(data: &[u8]) {
    let mut u = Unstructured::new(data);
    let _ = attempt(&mut u);
}

fn attempt(u: &mut Unstructured<'_>) -> Result<()> {
    // Of letters that the rest of the line lacks, so that a part of the password can be recognized.
    let length = u.int_in_range(8..=40)?;
    let password: String = (0..length).map(|n| char::from(b"ghijkl"[(n * n + n / 3) % 6])).collect();
    let (blob, greeting): (bool, bool) = (u.arbitrary()?, u.arbitrary()?);
    let mut line = Vec::new();
    while !u.is_empty() && line.len() < 700 {
        match u.int_in_range(0..=3)? {
            0 => line.extend(password.as_bytes()),
            1 => line.extend(u.choose(&PHRASES)?.as_bytes()),
            2 => line.extend(std::iter::repeat_n(b'A', u.int_in_range(0..=255)?)),
            _ => line.extend(
                u.bytes(u.len().min(4))?.iter().map(|&b| if b.is_ascii_lowercase() { b'x' } else { b }),
            ),
        }
    }
    if !blob {
        // A simple error ends at the first end of line.
        let end = line.windows(2).position(|pair| pair == b"\r\n").unwrap_or(line.len());
        line.truncate(end);
        if line.last() == Some(&b'\r') {
            line.pop();
        }
    }
    check(&line, &password, blob, greeting);
    Ok(())
}

fn check(line: &[u8], password: &str, blob: bool, greeting: bool) {
    let endpoint = Endpoint { password: password.into(), ..Endpoint::default() };
    let mut client = Client::with(Policy::default(), endpoint);
    let lock = client.acquire(one_attempt("k"));
    let frame = if blob {
        [format!("!{}\r\n", line.len()).as_bytes(), line, b"\r\n"].concat()
    } else {
        [b"-", line, b"\r\n"].concat()
    };
    if greeting {
        client.connect();
        client.reply(&frame);
    } else {
        client.greet();
        client.command();
        client.reply(&frame);
        // Again, in case it was taken for NOSCRIPT.
        client.reply(&frame);
    }
    let events = client.events();
    match events.as_slice() {
        [Event::Failed { lock: failed, failure }] if *failed == lock => check_error(failure, password, line),
        // To a server that does not know HELLO, AUTH is sent next.
        [] if greeting => {}
        // A replica's connection is dropped, and the command is repeated on a new one.
        [] => {
            client.drain_io();
            assert!(!client.closed.is_empty(), "{}", line.escape_ascii());
        }
        other => panic!("{other:?}"),
    }
}

fn check_error(failure: &LockError, password: &str, line: &[u8]) {
    let message = &failure.message;
    assert_eq!(failure.code, Code::Server, "{message}");
    let prefix = failure.prefix.as_bytes();
    assert!(prefix.first().is_some_and(u8::is_ascii_uppercase), "{prefix:?}");
    assert!(prefix.iter().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit()), "{prefix:?}");
    assert!(prefix == b"ERR" || message.starts_with(&*failure.prefix), "{prefix:?} {message}");
    assert!(message.chars().count() <= 256 && !message.contains(char::is_control), "{message:?}");
    // Any four of its letters in a row are a part of it.
    let shown = message
        .as_bytes()
        .windows(4)
        .any(|four| four.iter().all(|letter| (b'g'..=b'l').contains(letter)) && !is_ours(four));
    assert!(!shown, "{message:?} shows a part of {password:?}, of {:?}", String::from_utf8_lossy(line));
}

/// Four letters in a row that the phrases contain.
fn is_ours(four: &[u8]) -> bool {
    PHRASES.iter().any(|phrase| phrase.as_bytes().windows(4).any(|own| own == four))
}
