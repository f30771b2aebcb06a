//! Replies of a server: correct, wrong, or hostile.

use arbitrary::{Result, Unstructured};

use super::{
    wire::{Call, Command, Connection},
    world::{HELLO_REPLY, SUBSCRIBED, Verb},
};

/// Errors of all kinds: transient, permanent, or with a meaning of their own.
const ERRORS: [&str; 10] = [
    "NOSCRIPT No matching script. Please use EVAL.",
    "READONLY You can't write against a read only replica.",
    "LOADING Redis is loading the dataset in memory",
    "OOM command not allowed when used memory > 'maxmemory'.",
    "NOPERM this user has no permissions",
    "WRONGTYPE Operation against a key holding the wrong kind of value",
    "ERR unknown command 'HELLO', with args beginning with: '3' 'AUTH' 'canary-password'",
    "NOPROTO unsupported protocol version",
    "ERR invalid password canary-password",
    "",
];

/// Values that are well-formed and no reply to any command of ours.
const OTHERS: [&str; 8] =
    ["+OK\r\n", ":1\r\n", "$-1\r\n", "_\r\n", "*0\r\n", "%1\r\n+a\r\n:1\r\n", "#t\r\n", "*1\r\n*1\r\n:1\r\n"];

/// The reply of a good server that grants; `wakes` if it sends wake-ups.
pub fn grant(command: &Command, wakes: bool) -> Vec<u8> {
    match command {
        Command::Hello => HELLO_REPLY.into(),
        Command::Subscribe if wakes => SUBSCRIBED.into(),
        Command::Subscribe => b"-NOPERM no channels\r\n".to_vec(),
        Command::Ping => b"+PONG\r\n".to_vec(),
        Command::Login | Command::Select => b"+OK\r\n".to_vec(),
        Command::Script(calls) => granted(calls, calls[0].script.nonce(), "77"),
    }
}

/// The reply of a good server that denies.
pub fn deny(command: &Command, u: &mut Unstructured<'_>) -> Result<Vec<u8>> {
    let Command::Script(calls) = command else {
        return error(u);
    };
    let mut results = String::new();
    for call in calls {
        if !call.script.acquires() {
            let count = if call.script.extends() { 1 } else { call.owned.keys.len() };
            results += &":0\r\n".repeat(count);
            continue;
        }
        let wait = *u.choose(&[0, -1, -30, -5000, i64::MIN])?;
        results += &format!(":{wait}\r\n");
        if call.script.is_fair() {
            results += &format!(":{}\r\n:{}\r\n", u.int_in_range(0..=1)?, u.int_in_range(0..=9)?);
        }
    }
    Ok(array(calls[0].script.nonce(), &results))
}

pub fn error(u: &mut Unstructured<'_>) -> Result<Vec<u8>> {
    Ok(format!("-{}\r\n", u.choose(&ERRORS)?).into_bytes())
}

/// A reply that no good server sends.
pub fn wrong(connection: &Connection, u: &mut Unstructured<'_>) -> Result<Vec<u8>> {
    let head = connection.queue.front().map(|sent| &sent.command);
    Ok(match (u.int_in_range(0..=6)?, head) {
        // A grant with another nonce: that of a later command, or of none.
        (0, Some(Command::Script(calls))) => {
            let behind = connection.queue.iter().skip(1).find_map(|sent| match &sent.command {
                Command::Script(calls) => Some(calls[0].script.nonce().clone()),
                _ => None,
            });
            granted(calls, &behind.unwrap_or_else(|| b"0123456789abcdef".to_vec()), "5")
        }
        (1, Some(Command::Script(calls))) => {
            let mut nonce = calls[0].script.nonce().clone();
            let at = u.choose_index(nonce.len())?;
            nonce[at] ^= 1;
            granted(calls, &nonce, "5")
        }
        // The right nonce, and the reply to another script; of a run, a result too few or too many, or an error for one lock.
        (2, Some(Command::Script(calls))) => {
            let results = [
                ":1\r\n",
                ":2\r\n",
                ":-1\r\n",
                ":0\r\n:-2\r\n",
                "$1\r\n7\r\n",
                "$9\r\nWRONGTYPE\r\n",
                ":-1\r\n:1\r\n:-1\r\n",
                "",
            ];
            let rest = u.choose(&results)?;
            let others = ":1\r\n".repeat(calls.len() - 1);
            array(calls[0].script.nonce(), &(others + rest))
        }
        (3, Some(Command::Script(calls))) => {
            let fence = *u.choose(&[
                "0",
                "",
                "-1",
                "+7",
                "007",
                "1e3",
                "18446744073709551615",
                "18446744073709551616",
            ])?;
            granted(calls, calls[0].script.nonce(), fence)
        }
        (4, _) => {
            // A wake-up, for a lock that may wait, on this channel or another.
            let channel =
                if u.arbitrary()? { connection.channel.clone() } else { b"redlatch:wake:x".to_vec() };
            let number = u.int_in_range(0..=12)?.to_string();
            let mut push = format!(">3\r\n$7\r\nmessage\r\n${}\r\n", channel.len()).into_bytes();
            push.extend(channel);
            push.extend(format!("\r\n${}\r\n{number}\r\n", number.len()).as_bytes());
            push
        }
        _ => u.choose(&OTHERS)?.as_bytes().to_vec(),
    })
}

fn granted(calls: &[Call], nonce: &[u8], fence: &str) -> Vec<u8> {
    let result = |call: &Call| match call.script.verb() {
        Verb::Acquire => format!("${}\r\n{fence}\r\n", fence.len()),
        Verb::Extend => ":1\r\n".into(),
        Verb::Release => ":1\r\n".repeat(call.owned.keys.len()),
    };
    array(nonce, &calls.iter().map(result).collect::<String>())
}

/// An array of the nonce and further values of one or two lines each.
fn array(nonce: &[u8], rest: &str) -> Vec<u8> {
    let values = rest.matches([':', '$']).count() + 1;
    let mut reply = format!("*{values}\r\n${}\r\n", nonce.len()).into_bytes();
    reply.extend(nonce);
    reply.extend(b"\r\n");
    reply.extend(rest.as_bytes());
    reply
}
