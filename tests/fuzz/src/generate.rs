//! Replies of a server: correct, wrong, or hostile.

use arbitrary::{Result, Unstructured};

use super::{
    call::Call,
    wire::{Command, Connection},
    world::{HELLO_REPLY, SUBSCRIBED},
};

/// Errors of all kinds: transient, permanent, or with a meaning of their own.
const ERRORS: [&str; 12] = [
    "NOSCRIPT No matching script. Please use EVAL.",
    "READONLY You can't write against a read only replica.",
    "LOADING Redis is loading the dataset in memory",
    "OOM command not allowed when used memory > 'maxmemory'.",
    "NOPERM this user has no permissions",
    "CROSSSLOT Keys in request don't hash to the same slot",
    "TRYAGAIN Multiple keys request during rehashing of slot",
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
        Command::Script(call) => granted(call, call.script.nonce(), "77"),
    }
}

/// The reply of a good server that denies.
pub fn deny(command: &Command, u: &mut Unstructured<'_>) -> Result<Vec<u8>> {
    let Command::Script(call) = command else {
        return error(u);
    };
    if call.locks.len() > 1 {
        return mixed(call, u);
    }
    if !call.script.acquires() {
        let count = if call.script.extends() { 1 } else { call.locks[0].keys.len() };
        return Ok(array(call.script.nonce(), &":0\r\n".repeat(count)));
    }
    let wait = *u.choose(&[0, -1, -30, -5000, i64::MIN])?;
    let line = if call.script.is_fair() {
        format!(":{}\r\n:{}\r\n", u.int_in_range(0..=1)?, u.int_in_range(0..=9)?)
    } else {
        String::new()
    };
    Ok(array(call.script.nonce(), &format!(":{wait}\r\n{line}")))
}

/// The results of a run, each for itself: granted or denied, or an error that concerns this lock alone.
fn mixed(call: &Call, u: &mut Unstructured<'_>) -> Result<Vec<u8>> {
    let mut results = Vec::new();
    for at in 0..call.locks.len() {
        results.push(match (u.int_in_range(0..=3)?, call.script.acquires()) {
            (0, _) => ":0".to_owned(),
            (1, true) => format!(":-{}", at + 1),
            (2, true) => "$11\r\nWRONGTYPE a".to_owned(),
            (_, true) => format!(":{}", at + 100),
            (_, false) => ":1".to_owned(),
        });
    }
    Ok(run_reply(call.script.nonce(), &results))
}

/// A reply to a run that no good server sends: results that are missing, too many, or of another form.
fn wrong_run(call: &Call, u: &mut Unstructured<'_>) -> Result<Vec<u8>> {
    let mut results = vec![":1".to_owned(); call.locks.len()];
    let at = u.choose_index(results.len())?;
    let mut nonce = call.script.nonce().clone();
    match u.int_in_range(0..=4)? {
        0 => results.truncate(at),
        1 => results.extend(vec![":1".to_owned(); at + 1]),
        2 => nonce[15] ^= 1,
        _ => {
            let forms = [
                ":2",
                ":-2",
                "-ERR one",
                "-NOPERM one",
                "$-1",
                "_",
                "#t",
                "*1\r\n:1",
                "*0",
                "+OK",
                "+1",
                "+ok",
                "$0\r\n",
                "$3\r\nOOM",
            ];
            results[at] = (*u.choose(&forms)?).to_owned();
        }
    }
    Ok(run_reply(&nonce, &results))
}

pub fn error(u: &mut Unstructured<'_>) -> Result<Vec<u8>> {
    Ok(format!("-{}\r\n", u.choose(&ERRORS)?).into_bytes())
}

/// A reply that no good server sends.
pub fn wrong(connection: &Connection, u: &mut Unstructured<'_>) -> Result<Vec<u8>> {
    let head = connection.queue.front().map(|sent| &sent.command);
    if let Some(Command::Script(call)) = head
        && call.locks.len() > 1
        && u.arbitrary()?
    {
        return wrong_run(call, u);
    }
    Ok(match (u.int_in_range(0..=6)?, head) {
        // A grant with another nonce: that of a later command, or of none.
        (0, Some(Command::Script(call))) => {
            let behind = connection.queue.iter().skip(1).find_map(|sent| match &sent.command {
                Command::Script(call) => Some(call.script.nonce().clone()),
                _ => None,
            });
            granted(call, &behind.unwrap_or_else(|| b"0123456789abcdef".to_vec()), "5")
        }
        (1, Some(Command::Script(call))) => {
            let mut nonce = call.script.nonce().clone();
            let at = u.choose_index(nonce.len())?;
            nonce[at] ^= 1;
            granted(call, &nonce, "5")
        }
        // The right nonce, and the reply to another script.
        (2, Some(Command::Script(call))) => {
            let rest = u.choose(&[
                ":1\r\n",
                ":2\r\n",
                ":-1\r\n",
                ":0\r\n:-2\r\n",
                "$1\r\n7\r\n",
                "$9\r\nWRONGTYPE\r\n",
                ":-1\r\n:1\r\n:-1\r\n",
                "",
            ])?;
            array(call.script.nonce(), rest)
        }
        (3, Some(Command::Script(call))) => {
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
            granted(call, call.script.nonce(), fence)
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

fn granted(call: &Call, nonce: &[u8], fence: &str) -> Vec<u8> {
    if call.locks.len() > 1 {
        // Each with a fence of its own, if it is one.
        let result = |at: usize| match fence.parse::<u32>() {
            _ if !call.script.acquires() => ":1".to_owned(),
            Ok(fence) => format!(":{}", fence as usize + at),
            Err(_) => format!("${}\r\n{fence}", fence.len()),
        };
        return run_reply(nonce, &(0..call.locks.len()).map(result).collect::<Vec<_>>());
    }
    if call.script.acquires() {
        array(nonce, &format!("${}\r\n{fence}\r\n", fence.len()))
    } else if call.script.extends() {
        array(nonce, ":1\r\n")
    } else {
        array(nonce, &":1\r\n".repeat(call.locks[0].keys.len()))
    }
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

/// An array of the nonce and a result for each lock of a run.
fn run_reply(nonce: &[u8], results: &[String]) -> Vec<u8> {
    let mut reply = format!("*{}\r\n${}\r\n", results.len() + 1, nonce.len()).into_bytes();
    reply.extend(nonce);
    for result in results {
        reply.extend(b"\r\n");
        reply.extend(result.as_bytes());
    }
    reply.extend(b"\r\n");
    reply
}
