//! A connection that has been idle for long is closed, and made again on demand (rule 18).

use crate::world::{Client, LOOK, ms, request};
use redlatch::{Event, Observed, Request};

const MINUTE: u64 = 60_000;

fn state(client: &Client) -> &'static str {
    client.engine.inspect().nodes[0].state
}

#[test]
fn a_server_that_is_not_needed_is_idle_and_one_that_cannot_be_reached_is_down() {
    let mut client = Client::new();
    assert_eq!(state(&client), "idle");
    client.acquire(request("a"));
    client.drain_io();
    assert_eq!(state(&client), "connecting");
    client.disconnect("connect ECONNREFUSED");
    assert_eq!(state(&client), "down");
}

#[test]
fn a_connection_is_closed_after_five_minutes_without_a_command() {
    let mut client = Client::ready();
    client.run_for(ms(3 * MINUTE));
    let lock = client.hold(request("a"));
    client.engine.release(lock, client.now);
    let release = client.command();
    client.reply(release.count(1));
    client.events();
    client.run_for(ms(5 * MINUTE - 1));
    client.drain_io();
    assert_eq!(client.closed, []);
    let connection = client.connection.unwrap();
    client.run_for(ms(1).plus(LOOK));
    client.drain_io();
    assert_eq!(client.closed, [connection]);
    assert_eq!(state(&client), "idle");
    assert_eq!(client.engine.poll_timeout(), None, "there is nothing left to do");
}

#[test]
fn the_next_command_connects_at_once() {
    let mut client = Client::ready();
    client.run_for(ms(5 * MINUTE).plus(LOOK));
    client.acquire(request("a"));
    client.greet();
    assert_eq!(client.command().name(), "exclusive_acquire");
}

#[test]
fn observers_hear_of_the_end() {
    let mut client = Client::ready();
    client.engine.observe(Observed::Everything);
    client.run_for(ms(5 * MINUTE).plus(LOOK));
    assert!(matches!(client.event(), Event::Connection { error: Some(_), .. }));
}

#[test]
fn a_connection_stays_open_for_what_is_owed() {
    let mut client = Client::ready();
    let hour = Request { ttl: ms(60 * MINUTE), ..request("a") };
    client.hold(Request { renew: true, ..hour });
    client.run_for(ms(19 * MINUTE));
    assert_eq!(client.commands(), []);
    assert_eq!(client.closed, []);
}

#[test]
fn a_lock_that_is_not_renewed_outlives_its_connection() {
    let mut client = Client::ready();
    let lock = client.hold(Request { ttl: ms(60 * MINUTE), ..request("a") });
    client.run_for(ms(5 * MINUTE).plus(LOOK));
    client.drain_io();
    assert_eq!(client.closed.len(), 1);
    assert!(client.engine.remaining(lock, client.now) > ms(54 * MINUTE));
    client.engine.release(lock, client.now);
    client.greet();
    let release = client.command();
    client.reply(release.count(1));
    assert!(matches!(client.event(), Event::Released { .. }));
}
