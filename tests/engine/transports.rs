//! Command transports: no handshake, no pushes, and replies in any order.

use crate::world::{Client, ms, request};
use redlatch::{Endpoint, Policy, Transport};

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
