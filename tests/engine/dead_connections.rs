//! Dead connections: a command that got no answer is repeated once, on a new connection (rule 17).

use crate::world::{Client, Command, HELLO_REPLY, LOOK, NO_CHANNELS, ms, one_attempt, request};
use redlatch::{Code, Event, HandleId, ReleaseOutcome, Request};

/// The way in which a connection turns out to be dead.
#[derive(Clone, Copy, Debug)]
enum Death {
    Reset,
    /// Packets are dropped from now on, and neither end is notified.
    Silent,
    /// The server became a replica, and says so.
    Demoted,
}

const DEATHS: [Death; 3] = [Death::Reset, Death::Silent, Death::Demoted];

fn die(client: &mut Client, death: Death) {
    let before = client.now;
    match death {
        Death::Reset => client.disconnect("reset by peer"),
        Death::Silent => {
            client.drain_io();
            client.connection = None;
            while client.connection.is_none() {
                client.advance_to_timeout();
                client.drain_io();
            }
            assert!(client.now.since(before) <= ms(2000).plus(LOOK), "nodeTimeout");
        }
        Death::Demoted => client.reply("-READONLY You can't write against a read only replica.\r\n"),
    }
}

/// The connection dies while the command is in flight. Returns the command as it is repeated on the next connection.
fn repeated(client: &mut Client, death: Death) -> Command {
    die(client, death);
    assert_eq!(client.events(), [], "{death:?}");
    client.greet();
    client.command()
}

fn granted(event: &Event, lock: HandleId) -> bool {
    matches!(event, Event::Granted { lock: granted, .. } if *granted == lock)
}

#[test]
fn every_operation_is_repeated_once() {
    for death in DEATHS {
        let mut client = Client::ready();
        let lock = client.acquire(one_attempt("a"));
        let first = client.command();
        let acquire = repeated(&mut client, death);
        assert_eq!(acquire.value(), first.value(), "the token makes it harmless");
        assert_ne!(acquire.nonce(), first.nonce());
        let sent_at = client.now;
        client.advance(ms(5));
        client.reply(acquire.granted(1));
        assert!(granted(&client.event(), lock), "{death:?}");
        let remaining = client.engine.remaining(lock, sent_at);
        assert_eq!(remaining, ms(10_000 - 102), "{death:?}: from the command that was answered");

        let extending = client.engine.extend(lock, ms(10_000), client.now);
        client.command();
        let extend = repeated(&mut client, death);
        client.reply(extend.count(1));
        assert_eq!(client.event(), Event::Extended { op: extending, lock }, "{death:?}");

        let verifying = client.engine.verify(lock, client.now);
        client.command();
        let verify = repeated(&mut client, death);
        client.reply(verify.count(1));
        assert_eq!(client.event(), Event::Verified { op: verifying, lock, ours: true }, "{death:?}");

        client.engine.release(lock, client.now);
        client.command();
        let release = repeated(&mut client, death);
        client.reply(release.count(1));
        assert_eq!(client.event(), Event::Released { lock, outcome: ReleaseOutcome::Released }, "{death:?}");
        assert_eq!(client.engine.busy(), 0);
    }
}

/// The first acquire may have found the lock held, and registered the waiter, before its answer was lost.
#[test]
fn a_repeated_acquire_removes_what_the_first_may_have_registered() {
    for death in DEATHS {
        let (mut client, _) = Client::woken();
        client.acquire(request("a"));
        assert_eq!(client.command().arguments()[2], "-3000", "{death:?}: nothing is registered");
        die(&mut client, death);
        client.greet_with_wakes();
        assert_eq!(client.command().arguments()[2], "3000", "{death:?}: a registration may be left");
    }
}

#[test]
fn a_command_is_not_repeated_twice() {
    for death in [Death::Reset, Death::Demoted] {
        let mut client = Client::ready();
        client.acquire(one_attempt("a"));
        client.command();
        repeated(&mut client, death);
        die(&mut client, death);
        let event = client.event();
        let code = match death {
            Death::Demoted => Code::Server,
            Death::Reset | Death::Silent => Code::Connection,
        };
        assert!(matches!(&event, Event::Failed { failure, .. } if failure.code == code), "{event:?}");
    }
}

#[test]
fn a_repeated_release_that_finds_nothing_is_unknown() {
    let mut client = Client::ready();
    let lock = client.hold(request("a"));
    client.engine.release(lock, client.now);
    client.command();
    let again = repeated(&mut client, Death::Reset);
    client.reply(again.count(0));
    let unknown = Event::Released { lock, outcome: ReleaseOutcome::Unknown };
    assert_eq!(client.event(), unknown, "the first release may have deleted the key");
}

#[test]
fn a_server_that_stays_a_replica_is_tried_again_until_the_wait_is_over() {
    let mut client = Client::ready();
    client.acquire(Request { wait: ms(2000), ..request("a") });
    let mut connected = client.connection;
    loop {
        let commands = client.commands();
        let is_busy = !commands.is_empty();
        for command in commands {
            match command.name() {
                "HELLO" => client.reply(HELLO_REPLY),
                "SUBSCRIBE" => client.reply(NO_CHANNELS),
                _ => client.reply("-READONLY You can't write against a read only replica.\r\n"),
            }
        }
        client.drain_io();
        if client.connection.is_some() && client.connection != connected {
            connected = client.connection;
            client.connect();
            continue;
        }
        if is_busy {
            continue;
        }
        if let Some(event) = client.events().pop() {
            let Event::Failed { failure, .. } = event else { panic!("{event:?}") };
            assert_eq!((failure.code, &*failure.prefix), (Code::Server, "READONLY"), "{failure:?}");
            assert!(failure.attempts > 3, "{}", failure.attempts);
            return;
        }
        client.advance_to_timeout();
    }
}

#[test]
fn several_commands_in_flight_are_all_repeated() {
    let mut client = Client::ready();
    let mut sent = |key| (client.acquire(one_attempt(format!("k{key}"))), client.command());
    let locks: Vec<_> = (0..10).map(&mut sent).collect();
    client.disconnect("reset by peer");
    client.greet();
    let replies: String = client.commands().iter().map(|command| command.granted(1)).collect();
    client.reply(replies);
    assert_eq!(client.events().len(), locks.len());
}

#[test]
fn a_peer_that_is_out_of_step_gets_no_repetition() {
    let mut client = Client::ready();
    client.acquire(one_attempt("a"));
    client.command();
    client.reply(":1\r\n");
    assert!(matches!(client.event(), Event::Failed { failure, .. } if failure.code == Code::Protocol));
}

#[test]
fn the_first_command_on_a_connection_is_repeated_too() {
    for death in [Death::Reset, Death::Demoted] {
        let mut client = Client::new();
        let lock = client.acquire(one_attempt("a"));
        client.greet();
        client.command();
        let again = repeated(&mut client, death);
        client.reply(again.granted(1));
        assert!(granted(&client.event(), lock), "{death:?}");
    }
}

#[test]
fn commands_of_one_tick_keep_their_order_on_a_server_without_the_script() {
    let mut client = Client::ready();
    // Not alike, so that no two share a call.
    let request = |number: u64| Request { ttl: ms(1000 + number), ..one_attempt("b") };
    for number in 0..3 {
        client.acquire(request(number));
    }
    let commands = client.commands();
    let by_source: Vec<_> = commands.iter().map(Command::by_source).collect();
    assert_eq!(by_source, [false, false, false], "the warm-up has shown that the server knows the script");
    let mut cold = Client::new();
    for number in 0..3 {
        cold.acquire(request(number));
    }
    cold.greet();
    let by_source: Vec<_> = cold.commands().iter().map(Command::by_source).collect();
    assert_eq!(by_source, [true, false, false], "the first command has the source");
}
