//! Servers and proxies that refuse HELLO are used in RESP2, and a replica is not used for locks.

use crate::world::{Client, HELLO_REPLY, failure, ms, one_attempt, request};
use redlatch::{Code, Endpoint, Event, Obstacle, Policy, Request};

fn client(user: &str, password: &str, database: u32) -> Client {
    let endpoint = Endpoint { user: user.into(), password: password.into(), database, ..Endpoint::default() };
    Client::with(Policy::default(), endpoint)
}

/// The acquire that waits is sent and granted.
fn grants(client: &mut Client) {
    let acquire = client.command();
    assert_eq!(acquire.name(), "exclusive_acquire");
    client.reply(acquire.granted(1));
    assert!(matches!(client.event(), Event::Granted { .. }));
}

fn denies(client: &mut Client) {
    let acquire = client.command();
    client.reply(acquire.denied(1));
    assert!(matches!(client.event(), Event::Failed { .. }));
}

#[test]
fn every_refusal_of_hello_that_does_not_refuse_the_client_leads_to_resp2() {
    for refusal in [
        "ERR unknown command 'HELLO'",
        "NOPROTO unsupported protocol version",
        "ERR Protocol version is not an integer or out of range",
        "ERR syntax error",
        "ERR command is not allowed: hello",
        "invalid command",
        "unsupported",
        "NOAUTH Authentication required.",
        "PROXY what?",
    ] {
        let mut client = client("ann", "s3cret", 3);
        client.acquire(one_attempt("a"));
        client.connect();
        assert_eq!(client.command().name(), "HELLO");
        client.reply(format!("-{refusal}\r\n"));
        assert_eq!(client.command().words, ["AUTH", "ann", "s3cret"], "{refusal}");
        client.reply("+OK\r\n");
        assert_eq!(client.command().words, ["SELECT", "3"]);
        client.reply("+OK\r\n");
        grants(&mut client);
    }
}

#[test]
fn refusals_of_the_client_or_of_everybody_end_the_handshake() {
    for refusal in [
        "WRONGPASS invalid username-password pair",
        "NOPERM this user has no permissions to run the 'hello' command",
        "LOADING Redis is loading the dataset in memory",
        "ERR max number of clients reached",
        "DENIED Redis is running in protected mode",
    ] {
        let mut client = client("", "s3cret", 0);
        client.acquire(one_attempt("a"));
        client.connect();
        client.commands();
        client.reply(format!("-{refusal}\r\n"));
        assert_eq!(failure(client.event()).code, Code::Server, "{refusal}");
        assert!(client.commands().is_empty());
    }
}

/// The server hangs up on the HELLO that is written over a new connection.
fn hang_up_on_hello(client: &mut Client, reason: &str) {
    client.connect();
    assert_eq!(client.command().name(), "HELLO");
    client.disconnect(reason);
}

#[test]
fn a_server_that_hangs_up_on_hello_twice_is_tried_in_resp2_and_the_try_goes_on() {
    for (password, database, first) in [("s3cret", 3, "AUTH"), ("", 3, "SELECT"), ("", 0, "PING")] {
        let mut client = client("", password, database);
        client.acquire(one_attempt("a"));
        hang_up_on_hello(&mut client, "closed");
        hang_up_on_hello(&mut client, "closed");
        client.connect();
        assert_eq!(client.command().name(), first);
        client.reply(if first == "PING" { "+PONG\r\n" } else { "+OK\r\n" });
        if first == "AUTH" {
            assert_eq!(client.command().name(), "SELECT");
            client.reply("+OK\r\n");
        }
        grants(&mut client);
    }
}

#[test]
fn a_connection_that_ends_once_during_hello_costs_no_wake_ups() {
    let mut client = Client::new();
    client.acquire(one_attempt("a"));
    hang_up_on_hello(&mut client, "reset by a load balancer");
    client.connect();
    assert_eq!(client.command().name(), "HELLO");
    client.reply(HELLO_REPLY);
    assert_eq!(client.command().name(), "SUBSCRIBE");
    client.reply("-NOPERM no channels\r\n");
    grants(&mut client);
    client.disconnect("an idle connection");
    client.acquire(one_attempt("b"));
    hang_up_on_hello(&mut client, "again, an hour later");
    client.connect();
    assert_eq!(client.command().name(), "HELLO", "they are not counted together");
}

#[test]
fn a_server_that_refuses_hello_and_hangs_up_is_tried_in_resp2_at_once() {
    let mut client = client("", "s3cret", 0);
    client.acquire(one_attempt("a"));
    client.connect();
    client.commands();
    client.reply("-ERR unsupported command\r\n");
    client.commands();
    client.disconnect("closed");
    client.connect();
    assert_eq!(client.command().name(), "AUTH");
}

#[test]
fn a_server_that_hangs_up_in_resp2_too_fails_the_try_and_is_asked_for_resp3_again() {
    let mut client = Client::new();
    client.acquire(one_attempt("a"));
    hang_up_on_hello(&mut client, "closed early");
    hang_up_on_hello(&mut client, "closed early");
    client.connect();
    assert_eq!(client.command().name(), "PING");
    client.disconnect("closed again");
    let error = failure(client.event());
    assert_eq!((error.code, &*error.message), (Code::Connection, "closed again"));
    client.acquire(Request { wait: ms(5_000), ..request("a") });
    client.wait_for_dial();
    client.connect();
    assert_eq!(client.command().name(), "HELLO");
}

#[test]
fn the_dialect_of_a_server_is_remembered_for_ten_minutes() {
    let mut client = Client::new();
    client.acquire(one_attempt("a"));
    client.connect();
    client.commands();
    client.reply("-ERR no\r\n");
    denies(&mut client);
    client.disconnect("an idle connection");
    client.acquire(one_attempt("b"));
    client.connect();
    assert_eq!(client.command().name(), "PING");
    client.reply("-NOPERM this user has no permissions to run the 'ping' command\r\n");
    denies(&mut client);
    client.disconnect("an idle connection");
    client.run_for(ms(600_000));
    client.acquire(one_attempt("c"));
    client.connect();
    assert_eq!(client.command().name(), "HELLO");
    client.reply(HELLO_REPLY);
    assert_eq!(client.command().name(), "SUBSCRIBE");
}

#[test]
fn a_password_that_is_wrong_in_resp2_too_is_reported() {
    let mut client = client("", "s3cret", 0);
    client.acquire(request("a"));
    client.connect();
    client.commands();
    client.reply("-ERR Protocol error: s3cret\r\n");
    client.commands();
    client.reply("-ERR invalid password s3cret\r\n");
    let error = failure(client.event());
    assert_eq!(error.code, Code::Server);
    assert!(!format!("{error:?}").contains("s3cret"), "{error:?}");
}

#[test]
fn credentials_of_a_connection_replace_those_of_the_endpoint_and_stay_secret() {
    let mut client = client("ann", "old-secret", 0);
    client.acquire(one_attempt("a"));
    client.drain_io();
    client.engine.log_in(client.connection.unwrap(), String::new(), "new-secret".into());
    client.connect();
    assert_eq!(
        client.command().words,
        ["HELLO", "3", "AUTH", "default", "new-secret", "SETNAME", "redlatch"]
    );
    client.reply("-LOADING not new-secret\r\n");
    let error = failure(client.event());
    assert!(!format!("{error:?}").contains("new-secret"), "{error:?}");
    // A late answer changes nothing about the next connection.
    client.acquire(Request { wait: ms(5_000), ..request("a") });
    client.wait_for_dial();
    let gone = client.closed[0];
    client.engine.log_in(gone, "eve".into(), "other".into());
    client.connect();
    assert_eq!(client.command().words[3..5], ["default", "new-secret"]);
}

#[test]
fn every_acquire_asks_anew_for_a_permission_and_not_for_a_certificate() {
    for (obstacle, dials) in [(Obstacle::Permission, 3), (Obstacle::Certificate, 1)] {
        let mut client = Client::new();
        let mut dialled = 0;
        for _ in 0..3 {
            client.acquire(request("a"));
            client.drain_io();
            if let Some(connection) = client.connection.take() {
                dialled += 1;
                client.engine.handle_obstacle(connection, obstacle, "not permitted", client.now);
            }
            assert_eq!(failure(client.event()).code, Code::Connection);
        }
        assert_eq!(dialled, dials, "{obstacle:?}, in one instant");
    }
}

#[test]
fn an_obstacle_and_a_peer_that_is_not_redis_end_the_waiting_at_once() {
    let waits = || Request { wait: ms(60_000), ..request("a") };
    for obstacle in [Obstacle::Permission, Obstacle::Certificate] {
        let mut client = Client::new();
        client.acquire(waits());
        client.drain_io();
        client.engine.handle_obstacle(client.connection.unwrap(), obstacle, "not permitted", client.now);
        let error = failure(client.event());
        assert_eq!((error.code, &*error.message), (Code::Connection, "not permitted"));
    }
    for greeting in
        ["HTTP/1.1 400 Bad Request\r\n", "SSH-2.0-OpenSSH_9.2\r\n", "\x15\x03\x01\x00\x02\x02\x16"]
    {
        let mut client = Client::new();
        client.acquire(waits());
        client.connect();
        client.commands();
        client.reply(greeting);
        let error = failure(client.event());
        assert_eq!(error.code, Code::Protocol, "{greeting:?}");
        assert!(error.message.contains("is this a Redis server"), "{}", error.message);
    }
    // What is refused may be there later, and a reply that is malformed may be a fault of the network.
    let mut client = Client::new();
    client.acquire(waits());
    client.drain_io();
    client.disconnect("connect ECONNREFUSED");
    client.wait_for_dial();
    client.connect();
    client.commands();
    client.reply("*x\r\n");
    assert!(client.events().is_empty());
}

#[test]
fn a_replica_is_not_the_server_and_is_dialed_again_later() {
    for role in ["replica", "slave"] {
        let hello = format!("%2\r\n$5\r\nproto\r\n:3\r\n$4\r\nrole\r\n${}\r\n{role}\r\n", role.len());
        let mut client = Client::new();
        client.acquire(one_attempt("a"));
        client.connect();
        client.commands();
        client.reply(hello.clone());
        let error = failure(client.event());
        assert_eq!((error.code, &*error.prefix), (Code::Server, "READONLY"));
        assert!(client.commands().is_empty(), "nothing is asked of a replica");
        assert_eq!(client.closed.len(), 1);
        // An acquire that waits finds the master when the name leads there.
        client.acquire(Request { wait: ms(5_000), ..request("a") });
        client.wait_for_dial();
        client.connect();
        client.commands();
        client.reply(hello);
        assert!(client.events().is_empty());
        client.wait_for_dial();
        client.greet();
        grants(&mut client);
    }
}

#[test]
fn a_master_by_any_other_name_is_used() {
    for role in ["master", "active-replica", "primary"] {
        let mut client = Client::new();
        client.acquire(one_attempt("a"));
        client.connect();
        client.commands();
        client.reply(format!("*2\r\n$4\r\nrole\r\n${}\r\n{role}\r\n", role.len()));
        grants(&mut client);
    }
}
