//! Making connections: on demand, with a handshake, never in a storm.

use crate::world::{Client, HELLO_REPLY, LOOK, at, failure, ms, one_attempt, request};
use redlatch::{Code, Duration, Endpoint, Event, Policy, Request};

#[test]
fn the_first_acquire_dials_once_for_all_waiters() {
    let mut client = Client::new();
    assert!(client.engine.poll_connect().is_none());
    for _ in 0..100 {
        client.acquire(request("a"));
    }
    assert!(client.engine.poll_connect().is_some());
    assert!(client.engine.poll_connect().is_none());
}

#[test]
fn no_script_is_sent_before_the_handshake_is_complete() {
    let endpoint =
        Endpoint { user: "ann".into(), password: "s3cret".into(), database: 3, ..Endpoint::default() };
    let mut client = Client::with(Policy::default(), endpoint);
    client.acquire(request("a"));
    client.connect();
    assert_eq!(client.command().words, ["HELLO", "3", "AUTH", "ann", "s3cret", "SETNAME", "redlatch"]);
    client.reply(HELLO_REPLY);
    assert_eq!(client.command().name(), "SUBSCRIBE");
    client.reply("-NOPERM No permissions to access a channel\r\n");
    assert_eq!(client.command().words, ["SELECT", "3"]);
    client.reply("+OK\r\n");
    assert_eq!(client.command().name(), "exclusive_acquire");
}

#[test]
fn a_server_without_hello_is_used_over_resp2() {
    let mut client =
        Client::with(Policy::default(), Endpoint { password: "s3cret".into(), ..Endpoint::default() });
    let lock = client.acquire(request("a"));
    client.connect();
    client.command();
    client.reply(
        "-ERR unknown command `HELLO`, with args beginning with: `3`, `AUTH`, `default`, `s3cret`, \r\n",
    );
    assert_eq!(client.command().words, ["AUTH", "s3cret"]);
    client.reply("+OK\r\n");
    let acquire = client.command();
    client.reply(acquire.granted(1));
    assert!(matches!(client.event(), Event::Granted { lock: granted, .. } if granted == lock));
}

#[test]
fn a_refused_handshake_fails_at_once_and_shows_no_password() {
    for line in [
        "WRONGPASS invalid username-password pair or user is disabled.",
        "NOPERM this user may not use s3cret",
    ] {
        let mut client =
            Client::with(Policy::default(), Endpoint { password: "s3cret".into(), ..Endpoint::default() });
        client.acquire(request("a"));
        client.connect();
        client.commands();
        client.reply(format!("-{line}\r\n"));
        let failure = failure(client.event());
        assert_eq!(failure.code, Code::Server);
        assert!(!format!("{failure:?}").contains("s3cret"));
        client.drain_io();
        assert_eq!(client.closed.len(), 1);
        assert!(!format!("{:?}", client.engine).contains("s3cret"));
    }
}

#[test]
fn a_server_that_is_not_redis_is_a_protocol_error() {
    let mut client = Client::new();
    client.acquire(one_attempt("a"));
    client.connect();
    client.commands();
    client.reply("HTTP/1.1 400 Bad Request\r\n");
    let failure = failure(client.event());
    assert_eq!(failure.code, Code::Protocol);
    assert!(failure.message.contains("Redis"), "{}", failure.message);
}

#[test]
fn a_refused_connection_fails_a_single_attempt_at_once() {
    let mut client = Client::new();
    client.acquire(one_attempt("a"));
    client.drain_io();
    client.disconnect("connect ECONNREFUSED");
    let first = failure(client.event());
    assert_eq!((first.code, &*first.message), (Code::Connection, "connect ECONNREFUSED"));
    // Until the next dial is due, the next attempt fails at once with the cause.
    client.acquire(one_attempt("a"));
    assert_eq!(&*failure(client.event()).message, "connect ECONNREFUSED");
    assert!(client.engine.poll_connect().is_none());
}

#[test]
fn a_connection_or_handshake_that_takes_too_long_is_abandoned() {
    for connected in [false, true] {
        let mut client = Client::new();
        client.acquire(one_attempt("a"));
        client.drain_io();
        if connected {
            client.connect();
            client.commands();
        }
        client.run_for(ms(5000).plus(LOOK));
        let failure = failure(client.event());
        assert_eq!(failure.code, Code::Connection);
        assert!(failure.message.contains("connectTimeout"), "{}", failure.message);
        client.drain_io();
        assert_eq!(client.closed.len(), 1);
    }
}

#[test]
fn redials_of_a_server_that_is_down_back_off() {
    let mut client = Client::new();
    let begun = client.now;
    for _ in 0..1000 {
        client.acquire(Request { wait: ms(60_000), ..request("a") });
    }
    let mut dials = 0;
    while client.now.since(begun) < ms(60_000) {
        client.drain_io();
        if let Some(id) = client.connection.take() {
            dials += 1;
            client.engine.handle_closed(id, "connect ECONNREFUSED", client.now);
        }
        client.advance_to_timeout();
    }
    client.run_for(LOOK);
    assert!((60..200).contains(&dials), "{dials} dials in a minute by a thousand waiters");
    assert_eq!(client.events().len(), 1000);
}

#[test]
fn the_connection_to_a_silent_server_is_closed() {
    let mut client = Client::ready();
    client.acquire(Request { wait: ms(60_000), ..request("a") });
    client.command();
    let sent_at = client.now;
    while client.closed.is_empty() {
        client.advance_to_timeout();
        client.commands();
    }
    assert_eq!(
        client.now.since(sent_at),
        ms(2000).plus(LOOK),
        "nodeTimeout: a quarter of the lease, at most 2 s"
    );
}

#[test]
fn the_connection_to_a_replica_is_closed_so_that_its_name_can_resolve_anew() {
    let mut client = Client::ready();
    client.acquire(request("a"));
    client.command();
    client.reply("-READONLY You can't write against a read only replica.\r\n");
    client.drain_io();
    assert_eq!(client.closed.len(), 1);
    assert_eq!(client.events(), [], "it is tried again within the wait");
}

#[test]
fn a_connection_that_is_still_being_made_at_the_end_of_the_wait_is_in_the_error() {
    let mut client = Client::new();
    client.acquire(Request { wait: ms(300), ..request("a") });
    client.run_for(ms(300).plus(LOOK));
    let failure = failure(client.event());
    assert_eq!((failure.code, failure.attempts), (Code::Timeout, 1));
    assert!(failure.message.contains("no connection yet"), "{}", failure.message);
    assert_eq!(client.engine.busy(), 0);
}

#[test]
fn too_many_locks_fail_as_overloaded() {
    let mut client = Client::new();
    for _ in 0..100_000 {
        client.acquire(request("a"));
    }
    client.acquire(request("a"));
    assert_eq!(failure(client.event()).code, Code::Overloaded);
}

#[test]
fn without_entropy_no_lock_is_requested() {
    struct Nothing;
    impl redlatch::Entropy for Nothing {
        fn fill(&mut self, _: &mut [u8]) -> Result<(), redlatch::EntropyUnavailable> {
            Err(redlatch::EntropyUnavailable)
        }
    }
    let mut engine = redlatch::Engine::new(Policy::default(), Nothing);
    engine.add_node(Endpoint::default());
    engine.acquire(request("a"), at(0)).unwrap();
    assert_eq!(failure(engine.poll_event(at(0)).unwrap()).code, Code::Internal);
    assert!(engine.poll_connect().is_none());
}

#[test]
fn redials_of_a_server_that_hangs_up_after_the_handshake_back_off() {
    let mut client = Client::new();
    let begun = client.now;
    for _ in 0..100 {
        client.acquire(Request { wait: Duration::MAX, ..request("a") });
    }
    let mut dials = 0;
    while client.now.since(begun) < ms(60_000) {
        client.drain_io();
        if let Some(id) = client.connection {
            dials += 1;
            client.greet();
            client.commands();
            client.engine.handle_closed(id, "hung up", client.now);
            client.connection = None;
        }
        client.advance_to_timeout();
    }
    assert!((60..200).contains(&dials), "{dials}");
}

#[test]
fn too_many_commands_in_flight_fail_as_overloaded() {
    let mut client = Client::ready();
    for number in 0..65_536 {
        // Not alike, so that no two share a call.
        client.acquire(Request { ttl: ms(1000 + number % 2), ..one_attempt("a") });
    }
    assert_eq!(client.events(), []);
    client.acquire(one_attempt("a"));
    assert!(matches!(client.event(), Event::Failed { failure, .. } if failure.code == Code::Overloaded));
}

#[test]
fn a_dial_started_while_events_are_polled_has_a_deadline() {
    let mut client = Client::ready();
    client.acquire(Request { wait: Duration::MAX, ..request("a") });
    client.command();
    client.disconnect("reset");
    client.drain_io();
    client.disconnect("refused");
    while client.connection.is_none() {
        client.now = client.now.max(client.engine.poll_timeout().unwrap());
        assert_eq!(client.events(), []);
        client.drain_io();
    }
    let dialed = client.now;
    while client.closed.is_empty() {
        client.advance_to_timeout();
        client.drain_io();
    }
    assert_eq!(client.now.since(dialed), ms(5000).plus(LOOK));
}

#[test]
fn the_connection_to_a_replica_is_closed_for_every_form_of_its_error() {
    let mut client = Client::ready();
    client.acquire(request("a"));
    client.command();
    client.reply("-ERR Error running script (call to f_00aa): @user_script:38: @user_script: 38: -READONLY You can't write against a read only replica.\r\n");
    client.drain_io();
    assert_eq!(client.closed.len(), 1);
}

#[test]
fn with_retry_pauses_of_zero_one_call_does_not_redial_endlessly() {
    let policy = Policy { retry_min: Duration::ZERO, retry_max: Duration::ZERO, ..Policy::default() };
    let mut client = Client::with(policy, Endpoint::default());
    client.acquire(request("a"));
    client.drain_io();
    client.disconnect("refused");
    client.advance_to_timeout();
    assert_eq!(client.events(), []);
}

#[test]
fn the_debug_output_of_an_engine_has_no_secrets() {
    let mut client =
        Client::with(Policy::default(), Endpoint { password: "s3cret".into(), ..Endpoint::default() });
    client.acquire(Request { token: Some(b"t0ken".to_vec()), ..request("a") });
    client.connect();
    let printed = format!("{:?}", client.engine);
    let bytes = |text: &str| format!("{:?}", text.as_bytes()).trim_matches(['[', ']']).to_owned();
    for secret in ["s3cret", "t0ken"] {
        assert!(!printed.contains(secret) && !printed.contains(&bytes(secret)), "{printed}");
    }
}

#[test]
fn at_the_largest_instant_no_call_loops_endlessly() {
    let mut client = Client::new();
    client.now = redlatch::Instant::from_micros(u64::MAX);
    client.acquire(request("a"));
    client.drain_io();
    client.disconnect("refused");
    for _ in 0..10 {
        client.engine.handle_timeout(client.now);
        let next = client.engine.poll_timeout().expect("the next dial");
        assert!(next > client.now, "what is due was done");
    }
    assert_eq!(client.events(), []);
}
