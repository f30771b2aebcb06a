//! Parses error replies: which error it is, whether it is transient (rule 14), and which part of its text may be shown.

use crate::{error::ServerError, time::Duration};

/// Prefixes of transient errors: the server is starting, failing over, busy or short of a resource.
const TRANSIENT: [&str; 11] = [
    "READONLY",
    "LOADING",
    "BUSY",
    "TRYAGAIN",
    "MASTERDOWN",
    "CLUSTERDOWN",
    "OOM",
    "MISCONF",
    "NOREPLICAS",
    "NOSCRIPT",
    "UNBLOCKED",
];

/// Beginnings of others: the server is full; or a slot of a cluster is moving, so that a key that the script has just
/// emptied counts as another server's (Redis, then Valkey).
const TRANSIENT_TEXTS: [&str; 3] = [
    "ERR max number of clients",
    "ERR Script attempted to access a non local key in a cluster node",
    "ERR Attempted to access a non local key in a cluster node",
];

/// How many characters of an error are kept.
const LONGEST: usize = 256;

/// Parses an error reply. Some errors repeat the command's arguments; `secret` is removed from the result.
pub(crate) fn parse(line: &[u8], secret: &str) -> ServerError {
    let text = without_place(script_error(line).unwrap_or(line));
    // "unknown command 'AUTH', with args beginning with: ..." would show the password.
    let (text, _) = split_at_first(text, b", with args beginning with").unwrap_or((text, b""));
    // Before any other change: cutting or replacing characters could leave a part of the secret.
    let text = without(text, secret.as_bytes());
    let text = String::from_utf8_lossy(&text);
    let message: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(LONGEST).collect();
    let prefix = match message.split(' ').next() {
        Some(word) if is_prefix(word.as_bytes()) => word.to_owned(),
        _ => "ERR".to_owned(),
    };
    // A server that refuses a connection above maxclients sends no prefix of its own.
    let transient =
        TRANSIENT.contains(&prefix.as_str()) || TRANSIENT_TEXTS.iter().any(|text| message.starts_with(text));
    ServerError { prefix, message, transient, ran: false }
}

/// Too few replicas confirmed what the server did. They may be back soon.
pub(crate) fn too_few_replicas(confirmed: u32, needed: u32, within: Duration) -> ServerError {
    let [confirmed, needed] = [confirmed, needed].map(|count| count.to_string());
    let within = within.as_millis().to_string();
    let message =
        ["NOREPLICAS ", &confirmed, " of ", &needed, " replicas confirmed within ", &within, " ms"].concat();
    ServerError { prefix: "NOREPLICAS".to_owned(), message, transient: true, ran: true }
}

/// The map of a cluster names no server for a slot. That may be so while another one takes over.
pub(crate) fn unserved() -> ServerError {
    let message = "CLUSTERDOWN no server of the cluster has the slot".to_owned();
    ServerError { prefix: "CLUSTERDOWN".to_owned(), message, transient: true, ran: false }
}

/// No sentinel knows a master of this name.
pub(crate) fn no_master(name: &[u8]) -> ServerError {
    let message =
        ["NOMASTER no sentinel knows a master named \"", &String::from_utf8_lossy(name), "\""].concat();
    ServerError { prefix: "NOMASTER".to_owned(), message, transient: false, ran: false }
}

/// Two voters are the same servers.
pub(crate) fn same_servers() -> ServerError {
    let message = "SAMESERVERS the servers of this vote have another vote of this client already; list them once in `nodes`".to_owned();
    ServerError { prefix: "SAMESERVERS".to_owned(), message, transient: false, ran: false }
}

/// The error inside the text with which Redis before 7 wraps an error raised in a script:
/// `ERR Error running script (call to f_<sha1>): @user_script:12: OOM command not allowed ...`.
fn script_error(text: &[u8]) -> Option<&[u8]> {
    let mut rest = text.strip_prefix(b"ERR Error running script")?;
    // The error follows one of the colons, after the script's line numbers.
    while let Some((_, after)) = split_at_first(rest, b": ") {
        let error = after.strip_prefix(b"-").unwrap_or(after);
        if error.split(|&byte| byte == b' ').next().is_some_and(is_prefix) {
            return Some(error);
        }
        rest = after;
    }
    None
}

/// Cuts off where in our script the error arose, which Redis from 7 on appends: ` script: <sha1>, on @user_script:12.`.
fn without_place(text: &[u8]) -> &[u8] {
    match split_at_first(text, b" script: ") {
        Some((error, place)) if split_at_first(place, b", on @user_script:").is_some() => error,
        _ => text,
    }
}

fn is_prefix(word: &[u8]) -> bool {
    word.first().is_some_and(u8::is_ascii_uppercase)
        && word.iter().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
}

/// The text with `***` in place of each `secret`, unless that is empty.
fn without(mut text: &[u8], secret: &[u8]) -> Vec<u8> {
    let mut shown = Vec::new();
    while !secret.is_empty()
        && let Some((before, after)) = split_at_first(text, secret)
    {
        shown.extend_from_slice(before);
        shown.extend_from_slice(b"***");
        text = after;
    }
    shown.extend_from_slice(text);
    shown
}

/// What comes before and after the first `separator`, which must not be empty. The standard library's search in strings
/// would add 5 kB to the wasm.
fn split_at_first<'a>(text: &'a [u8], separator: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let at = text.windows(separator.len()).position(|window| window == separator)?;
    let (before, rest) = text.split_at_checked(at)?;
    Some((before, rest.get(separator.len()..)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prefix(line: &str) -> String {
        parse(line.as_bytes(), "").prefix
    }

    #[test]
    fn prefix_is_the_first_word_in_capitals() {
        assert_eq!(prefix("WRONGTYPE Operation against a key"), "WRONGTYPE");
        assert_eq!(prefix("ERR max number of clients reached"), "ERR");
        assert_eq!(prefix("something odd"), "ERR");
        assert_eq!(prefix(""), "ERR");
    }

    #[test]
    fn errors_raised_in_scripts_are_found_on_old_servers_too() {
        let redis_6 = "ERR Error running script (call to f_00aa): @user_script:12: @user_script: 12: -OOM command not allowed when used memory > 'maxmemory'.";
        assert_eq!(prefix(redis_6), "OOM");
        let redis_6_type = "ERR Error running script (call to f_00aa): @user_script:8: WRONGTYPE Operation against a key holding the wrong kind of value";
        assert_eq!(prefix(redis_6_type), "WRONGTYPE");
    }

    #[test]
    fn the_place_in_a_script_is_not_shown() {
        let message = |line: &str| parse(line.as_bytes(), "").message;
        let redis_7 = "WRONGTYPE Operation against a key holding the wrong kind of value script: dc9a594e66952e8a58772d2ab341f1f6219db0ce, on @user_script:18.";
        assert_eq!(message(redis_7), "WRONGTYPE Operation against a key holding the wrong kind of value");
        assert_eq!(message("ERR no such script: x"), "ERR no such script: x");
    }

    #[test]
    fn transient_and_permanent_errors() {
        for transient in [
            "READONLY You can't",
            "LOADING Redis is",
            "BUSY Redis is",
            "OOM command",
            "ERR max number of clients reached",
            "ERR Script attempted to access a non local key in a cluster node script: 00aa, on @user_script:24.",
            "ERR Attempted to access a non local key in a cluster node script: on @user_script:24.",
        ] {
            assert!(parse(transient.as_bytes(), "").transient, "{transient}");
        }
        for permanent in [
            "NOAUTH Authentication",
            "WRONGPASS invalid",
            "NOPERM this user",
            "WRONGTYPE Operation",
            "CROSSSLOT Keys",
            "ERR unknown",
        ] {
            assert!(!parse(permanent.as_bytes(), "").transient, "{permanent}");
        }
    }

    #[test]
    fn arguments_that_the_server_repeats_are_not_shown() {
        let line = b"ERR unknown command 'HELLO', with args beginning with: '3' 'AUTH' 'default' 'hunter2'";
        assert_eq!(parse(line, "").message, "ERR unknown command 'HELLO'");
        assert_eq!(parse(b"ERR bad password hunter2!", "hunter2").message, "ERR bad password ***!");
    }

    #[test]
    fn a_secret_does_not_show_in_part() {
        let secret = "correct-horse-battery";
        for line in [
            format!("ERR {} {secret}", "é".repeat(125)),
            format!("ERR {}{secret}", "x".repeat(245)),
            format!("ERR {secret}{secret}"),
        ] {
            assert!(!parse(line.as_bytes(), secret).message.contains("corr"), "{line}");
        }
        assert_eq!(parse(b"ERR cor\trect", "cor\trect").message, "ERR ***");
    }

    #[test]
    fn long_and_binary_errors_are_cut_and_cleaned() {
        let line = [b"ERR \x00\xff\r".as_slice(), &[b'x'; 5000]].concat();
        let error = parse(&line, "");
        assert_eq!(error.message.chars().count(), LONGEST);
        assert!(!error.message.contains('\r'));
    }
}
