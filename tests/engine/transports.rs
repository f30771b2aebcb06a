//! Command transports: no handshake, no wake-ups, and commands that may overtake each other.

use crate::world::{Client, Command, ms, request};
use redlatch::{Endpoint, Event, HandleId, Policy, Transport};

fn on_commands() -> Client {
    let endpoint = Endpoint {
        password: "unused".into(),
        database: 3,
        transport: Transport::Commands,
        ..Endpoint::default()
    };
    Client::with(Policy::default(), endpoint)
}

#[test]
fn a_command_transport_has_no_handshake_and_its_waiters_poll() {
    let mut client = on_commands();
    client.acquire(request("a"));
    client.connect();
    let acquire = client.command();
    assert_eq!(acquire.name(), "exclusive_acquire");
    assert!(!client.engine.inspect().nodes[0].wakes);
    client.reply(acquire.denied(60_000));
    let sent_at = client.now;
    let (commands, _) = client.advance_to_action();
    assert_eq!(commands.len(), 1);
    assert!(client.now < sent_at.after(ms(251)), "polled without messages, so soon");
}

#[test]
fn over_a_command_transport_no_release_overtakes_its_acquire() {
    let mut client = on_commands();
    let given_up = client.acquire(request("a"));
    client.connect();
    let acquire = client.command();
    client.engine.cancel(given_up, client.now);
    assert!(client.commands().is_empty(), "the acquire is under way");
    client.acquire(request("b"));
    assert_eq!(client.command().name(), "exclusive_acquire", "other keys do not wait");
    client.reply(acquire.granted(1));
    let release = client.command();
    assert_eq!((release.name(), release.keys()[0].as_str()), ("exclusive_release", "a"));
}

fn on_independent_commands() -> Client {
    let endpoint = Endpoint { transport: Transport::Independent, ..Endpoint::default() };
    Client::with(Policy::default(), endpoint)
}

/// The message that a command has this reply.
fn answer(command: &Command, reply: &str) -> String {
    message("answer", command, reply)
}

/// The message that a command will get no reply.
fn unanswered(command: &Command) -> String {
    message("unanswered", command, "$4\r\ngone\r\n")
}

fn message(kind: &str, command: &Command, content: &str) -> String {
    let (length, nonce) = (kind.len(), command.nonce());
    format!(">3\r\n${length}\r\n{kind}\r\n$16\r\n{nonce}\r\n{content}")
}

/// Asks for locks on these keys. Returns them, and their commands.
fn ask(client: &mut Client, keys: &[&str]) -> (Vec<HandleId>, Vec<Command>) {
    let locks = keys.iter().map(|key| client.acquire(request(key))).collect();
    if client.connection.is_none() {
        client.connect();
    }
    (locks, client.commands())
}

#[test]
fn independent_commands_are_answered_in_any_order() {
    let mut client = on_independent_commands();
    let (locks, commands) = ask(&mut client, &["a", "b", "c"]);
    for at in [2, 0, 1] {
        client.reply(answer(&commands[at], &commands[at].granted(7)));
        assert!(matches!(client.event(), Event::Granted { lock, .. } if lock == locks[at]));
    }
}

#[test]
fn an_independent_command_without_an_answer_is_repeated_once_and_concerns_no_other_lock() {
    let mut client = on_independent_commands();
    let (locks, commands) = ask(&mut client, &["a", "b"]);
    client.reply(unanswered(&commands[0]));
    let again = client.command();
    assert_eq!((again.name(), again.keys()), (commands[0].name(), commands[0].keys()));
    assert_ne!(again.nonce(), commands[0].nonce());
    client.reply(unanswered(&again));
    assert!(client.commands().is_empty(), "the next attempt comes after a pause");
    client.reply(answer(&commands[1], &commands[1].granted(7)));
    assert!(matches!(client.event(), Event::Granted { lock, .. } if lock == locks[1]));
    let (next, _) = client.advance_to_action();
    assert_eq!(next[0].keys(), commands[0].keys());
    assert!(client.closed.is_empty(), "the session goes on");
}

#[test]
fn an_independent_command_that_gets_no_answer_in_time_concerns_no_other_lock() {
    let mut client = on_independent_commands();
    let (_, commands) = ask(&mut client, &["a"]);
    client.advance(ms(500));
    let (locks, others) = ask(&mut client, &["b"]);
    // What others get says nothing about the one that waits.
    client.reply(answer(&others[0], &others[0].granted(7)));
    assert!(matches!(client.event(), Event::Granted { lock, .. } if lock == locks[0]));
    let (again, _) = client.advance_to_action();
    assert_eq!(again[0].keys(), commands[0].keys());
    assert!(client.closed.is_empty(), "the session goes on");
    // The answer to the first command is for nobody now.
    client.reply(answer(&commands[0], &commands[0].granted(8)));
    assert!(client.events().is_empty());
    client.reply(answer(&again[0], &again[0].granted(8)));
    assert!(matches!(client.event(), Event::Granted { fence: 8, .. }));
}

#[test]
fn a_release_waits_for_its_acquire_until_that_is_given_up() {
    let mut client = on_independent_commands();
    let (locks, commands) = ask(&mut client, &["a"]);
    client.engine.cancel(locks[0], client.now);
    assert!(client.commands().is_empty(), "the acquire is under way");
    client.reply(unanswered(&commands[0]));
    let release = client.command();
    assert_eq!((release.name(), release.keys()[0].as_str()), ("exclusive_release", "a"));
}

#[test]
fn a_wrong_nonce_in_the_reply_itself_ends_the_session() {
    let mut client = on_independent_commands();
    let (_, commands) = ask(&mut client, &["a", "b"]);
    client.reply(answer(&commands[0], &commands[1].granted(7)));
    client.drain_io();
    assert_eq!(client.closed.len(), 1);
}

#[test]
fn a_script_that_the_server_does_not_know_is_sent_with_its_source() {
    let mut client = on_independent_commands();
    let (locks, commands) = ask(&mut client, &["a"]);
    assert!(!commands[0].by_source());
    client.reply(answer(&commands[0], "-NOSCRIPT No matching script\r\n"));
    let again = client.command();
    assert!(again.by_source());
    client.reply(answer(&again, &again.granted(7)));
    assert!(matches!(client.event(), Event::Granted { lock, .. } if lock == locks[0]));
}

#[test]
fn messages_about_nothing_are_ignored() {
    let mut client = on_independent_commands();
    let (_, commands) = ask(&mut client, &["a"]);
    for odd in [
        ">0\r\n",
        ">1\r\n$6\r\nanswer\r\n",
        ">3\r\n$6\r\nanswer\r\n$1\r\n7\r\n:1\r\n",
        ">3\r\n$10\r\nunanswered\r\n$1\r\n7\r\n$1\r\n7\r\n",
        ">3\r\n$7\r\nmessage\r\n$1\r\nx\r\n$1\r\n1\r\n",
    ] {
        client.reply(odd);
        assert!(client.events().is_empty() && client.commands().is_empty(), "{odd:?}");
    }
    client.reply(answer(&commands[0], &commands[0].granted(7)));
    assert!(matches!(client.event(), Event::Granted { .. }));
}
