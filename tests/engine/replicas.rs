//! Replicas: what is granted counts once enough of them have it (WAIT).

use crate::world::{Client, Command, failure, ms, one_attempt, request};
use redlatch::{Code, Endpoint, Event, HandleId, Policy, ReleaseOutcome, Request};

fn client() -> Client {
    let policy = Policy { replicas: 2, node_timeout: Some(ms(300)), ..Policy::default() };
    let mut client = Client::with(policy, Endpoint::default());
    client.acquire(one_attempt("warm-up"));
    client.greet();
    let [acquire, _] = &commands(&mut client)[..] else { panic!("two commands") };
    client.reply(acquire.denied(1) + ":2\r\n");
    assert!(matches!(client.event(), Event::Failed { .. }));
    client
}

/// The commands that were written; the last one is the WAIT for all of them.
fn commands(client: &mut Client) -> Vec<Command> {
    let commands = client.commands();
    assert_eq!(commands[commands.len() - 1].words, ["WAIT", "2", "300"]);
    commands
}

fn acquire(client: &mut Client, request: Request) -> (HandleId, Command) {
    let lock = client.acquire(request);
    let mut commands = commands(client);
    assert_eq!(commands.len(), 2);
    (lock, commands.remove(0))
}

fn hold(client: &mut Client, request: Request) -> HandleId {
    let (lock, acquire) = acquire(client, request);
    client.reply(acquire.granted(1) + ":2\r\n");
    assert!(matches!(client.event(), Event::Granted { .. }));
    lock
}

#[test]
fn a_grant_counts_once_the_replicas_have_it_and_is_valid_from_the_sending() {
    let mut client = client();
    let (lock, acquire) = acquire(&mut client, request("a"));
    client.advance(ms(10));
    client.reply(acquire.granted(7));
    assert_eq!(client.events(), []);
    client.advance(ms(200));
    client.reply(":3\r\n");
    assert!(matches!(client.event(), Event::Granted { fence: 7, .. }));
    assert_eq!(client.engine.remaining(lock, client.now), ms(10_000 - 102 - 210));
}

#[test]
fn a_try_without_the_replicas_fails_and_is_released() {
    let mut client = client();
    let (_, acquire) = acquire(&mut client, one_attempt("a"));
    client.reply(acquire.granted(1) + ":1\r\n");
    let error = failure(client.event());
    assert_eq!((error.code, &*error.prefix), (Code::Server, "NOREPLICAS"));
    assert_eq!(&*error.message, "NOREPLICAS 1 of 2 replicas confirmed within 300 ms");
    let release = client.command();
    assert_eq!(release.name(), "exclusive_release", "no WAIT behind it");
}

#[test]
fn a_waiter_asks_again_and_a_denial_needs_no_replica() {
    let mut client = client();
    let (_, first) = acquire(&mut client, request("a"));
    client.reply(first.granted(1) + ":0\r\n");
    let (again, events) = client.advance_to_action();
    assert_eq!((again[0].name(), again[1].name(), events), ("exclusive_acquire", "WAIT", vec![]));
    client.reply(again[0].granted(1) + ":2\r\n");
    assert!(matches!(client.event(), Event::Granted { .. }));
    let (_, other) = acquire(&mut client, one_attempt("b"));
    client.reply(other.denied(500));
    assert_eq!(failure(client.event()).code, Code::Timeout);
}

#[test]
fn an_extension_without_the_replicas_leaves_the_lease_as_it_was() {
    let mut client = client();
    let lock = hold(&mut client, request("a"));
    let left = client.engine.remaining(lock, client.now);
    let op = client.engine.extend(lock, ms(60_000), client.now);
    let extend = commands(&mut client).remove(0);
    client.reply(extend.count(1) + ":1\r\n");
    assert!(matches!(client.event(), Event::OperationFailed { op: failed, .. } if failed == op));
    assert_eq!(client.engine.remaining(lock, client.now), left);
}

#[test]
fn one_wait_answers_for_all_that_was_sent_with_it() {
    let mut client = client();
    let locks: Vec<_> = ["a", "b"].into_iter().map(|key| client.acquire(request(key))).collect();
    let held = commands(&mut client);
    assert_eq!(held.len(), 2, "a run and a WAIT");
    client.reply(held[0].granted(1) + ":2\r\n");
    assert_eq!(client.events().len(), 2);
    client.engine.release(locks[0], client.now);
    client.engine.extend(locks[1], ms(60_000), client.now);
    client.acquire(request("c"));
    let names: Vec<_> = client.commands().iter().map(|command| command.name().to_owned()).collect();
    assert_eq!(names, ["exclusive_release", "extend", "exclusive_acquire", "WAIT"]);
}

#[test]
fn a_release_is_not_held_back() {
    let mut client = client();
    let lock = hold(&mut client, request("a"));
    client.engine.release(lock, client.now);
    let release = client.command();
    client.reply(release.count(1));
    assert_eq!(client.event(), Event::Released { lock, outcome: ReleaseOutcome::Released });
}

#[test]
fn a_connection_that_ends_before_the_replicas_answer_leaves_the_outcome_open() {
    let mut client = client();
    let (_, acquire) = acquire(&mut client, request("a"));
    client.reply(acquire.granted(1));
    client.disconnect("reset");
    client.greet();
    let again = commands(&mut client);
    assert_eq!((again.len(), again[0].name()), (2, "exclusive_acquire"));
    client.reply(again[0].granted(1) + ":2\r\n");
    assert!(matches!(client.event(), Event::Granted { .. }));
}

#[test]
fn the_wait_for_replicas_is_no_silence() {
    let mut client = client();
    let (_, acquire) = acquire(&mut client, Request { wait: ms(60_000), ..request("a") });
    client.reply(acquire.granted(1));
    client.run_for(ms(550));
    client.drain_io();
    assert_eq!(client.closed, [], "300 ms for the replicas, and as long for the answer");
    client.run_for(ms(100));
    client.drain_io();
    assert_eq!(client.closed.len(), 1);
}

#[test]
fn another_reply_than_a_number_ends_the_connection() {
    for reply in ["*1\r\n:2\r\n", "+OK\r\n", ":-1\r\n", "$1\r\n2\r\n"] {
        let mut client = client();
        let (_, acquire) = acquire(&mut client, one_attempt("a"));
        client.reply(acquire.granted(1) + reply);
        assert_eq!(failure(client.event()).code, Code::Protocol, "{reply:?}");
    }
}

#[test]
fn a_refusal_to_wait_is_the_error_of_what_was_granted() {
    for (line, prefix) in [
        ("-NOPERM this user has no permissions to run the 'wait' command\r\n", "NOPERM"),
        ("-ERR WAIT cannot be used with replica instances.\r\n", "NOREPLICAS"),
    ] {
        let mut client = client();
        let (_, acquire) = acquire(&mut client, one_attempt("a"));
        client.reply(acquire.granted(1) + line);
        assert_eq!(&*failure(client.event()).prefix, prefix);
        assert_eq!(client.command().name(), "exclusive_release");
    }
}
