//! Confirmation: a held lock is asked for on a new connection, because the server may have lost its data (rule 5).

use crate::world::{Client, Command, ms, request};
use redlatch::{Event, HandleId, Loss, Request};

fn renewed(key: &str) -> Request {
    Request { renew: true, ttl: ms(30_000), ..request(key) }
}

/// The connection breaks, and the client makes a new one without being asked for anything.
fn reconnect(client: &mut Client) {
    client.disconnect("reset");
    client.greet();
}

fn lost(client: &mut Client) -> HandleId {
    match client.event() {
        Event::Lost { lock, loss: Loss::NotOurs, reason: None } => lock,
        other => panic!("{other:?}"),
    }
}

/// The commands that are due at once.
fn due(client: &mut Client) -> Vec<Command> {
    assert_eq!(client.events(), []);
    client.commands()
}

#[test]
fn a_renewed_lock_is_extended_on_the_new_connection_at_once() {
    let mut client = Client::ready();
    let lock = client.hold(renewed("a"));
    for _ in 0..3 {
        client.advance(ms(1000));
        reconnect(&mut client);
        let [extend] = &due(&mut client)[..] else { panic!("one command") };
        assert_eq!((extend.name(), extend.lease()), ("extend", 30_000));
        client.reply(extend.count(1));
        assert_eq!(client.events(), []);
        assert_eq!(client.engine.remaining(lock, client.now), ms(30_000 - 302));
    }
    reconnect(&mut client);
    let [extend] = &due(&mut client)[..] else { panic!("one command") };
    client.reply(extend.count(0));
    assert_eq!(lost(&mut client), lock, "the server has lost its data");
}

#[test]
fn a_lock_that_is_not_renewed_waits_for_a_connection_and_is_not_extended() {
    let mut client = Client::ready();
    let lock = client.hold(Request { ttl: ms(60_000), ..request("a") });
    client.disconnect("reset");
    client.run_for(ms(5000));
    client.drain_io();
    assert_eq!(client.connection, None, "nobody needs it now");
    let other = client.acquire(request("b"));
    client.greet();
    let [acquire, confirm] = &due(&mut client)[..] else { panic!("two commands") };
    assert_eq!((confirm.name(), confirm.lease()), ("extend", 0));
    client.reply(acquire.granted(1) + &confirm.count(0));
    let events = client.events();
    assert!(matches!(events[0], Event::Granted { lock, .. } if lock == other), "{events:?}");
    assert!(matches!(events[1], Event::Lost { lock: ended, .. } if ended == lock), "{events:?}");
}

#[test]
fn a_server_with_renewed_locks_is_dialled_until_it_is_back_or_they_are_over() {
    let mut client = Client::ready();
    let lock = client.hold(Request { ttl: ms(10_000), ..renewed("a") });
    client.disconnect("reset");
    let mut dials = 0;
    let begin = client.now;
    while client.engine.remaining(lock, client.now) > ms(0) {
        client.drain_io();
        if client.connection.is_some() {
            dials += 1;
            client.disconnect("connection refused");
        }
        client.advance_to_timeout();
        let _ = client.events();
    }
    assert!(client.now.since(begin) > ms(9000));
    // Pauses of up to a second, half of that on average; each renewal may dial too.
    assert!((10..40).contains(&dials), "{dials} dials");
    client.wait_for_dial();
    // The release has no need of it for long.
    client.disconnect("connection refused");
    client.run_for(ms(60_000));
    client.drain_io();
    assert_eq!((client.connection, client.engine.busy()), (None, 0));
}

#[test]
fn a_renewal_in_flight_confirms_the_lock() {
    let mut client = Client::ready();
    client.hold(renewed("a"));
    let (renewal, _) = client.advance_to_action();
    assert_eq!(renewal[0].name(), "extend");
    reconnect(&mut client);
    let [repeated] = &due(&mut client)[..] else { panic!("one command") };
    client.reply(repeated.count(1));
    client.run_for(ms(5000));
    assert_eq!(client.commands(), []);
}

#[test]
fn many_locks_are_confirmed_one_after_the_other_within_a_tenth_of_a_second() {
    let mut client = Client::ready();
    for at in 0..250 {
        client.hold(renewed(&format!("key {at}")));
    }
    reconnect(&mut client);
    let begin = client.now;
    let mut confirmed = Vec::new();
    while confirmed.iter().sum::<usize>() < 250 {
        let commands = due(&mut client);
        for command in &commands {
            confirmed.push(command.call().locks());
        }
        client.reply(commands.iter().map(|command| command.count(1000)).collect::<String>());
        assert!(client.now.since(begin) <= ms(100));
        client.advance_to_timeout();
    }
    assert_eq!(confirmed, [32, 32, 32, 32, 32, 32, 32, 26]);
}

#[test]
fn the_confirmation_of_a_lock_that_is_not_renewed_keeps_no_process_alive() {
    let mut client = Client::ready();
    client.hold(request("a"));
    client.disconnect("reset");
    let other = client.acquire(request("b"));
    client.greet();
    let [acquire, _] = &due(&mut client)[..] else { panic!("two commands") };
    client.reply(acquire.granted(1));
    assert!(matches!(client.event(), Event::Granted { lock, .. } if lock == other));
    assert_eq!(client.engine.owed(), 0);
}
