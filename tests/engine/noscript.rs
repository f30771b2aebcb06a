//! Servers that do not know a script: they did nothing, and get the same call again by source.

use crate::{
    network::{Mode, Network},
    world::{Client, Command, ms, request},
};
use redlatch::{Event, Policy};

const NO_SCRIPT: &str = "-NOSCRIPT No matching script. Please use EVAL.\r\n";

#[test]
fn an_unknown_script_is_sent_by_source_and_validity_counts_from_the_first_command() {
    let mut client = Client::ready();
    let lock = client.acquire(request("a"));
    let by_hash = client.command();
    let sent_at = client.now;
    client.advance(ms(10));
    client.reply(NO_SCRIPT);
    let by_source = client.command();
    assert!(!by_hash.by_source() && by_source.by_source());
    assert_eq!(by_source.name(), "exclusive_acquire");
    client.advance(ms(10));
    client.reply(by_source.granted(1));
    client.event();
    assert_eq!(client.engine.remaining(lock, sent_at), ms(10_000 - 102));
}

#[test]
fn a_cancelled_acquire_is_not_sent_by_source() {
    let mut client = Client::ready();
    let lock = client.acquire(request("a"));
    client.command();
    client.engine.cancel(lock, client.now);
    assert_eq!(client.command().name(), "exclusive_release");
    client.reply(NO_SCRIPT);
    assert!(client.commands().is_empty(), "it would run after its own release");
    client.reply(NO_SCRIPT);
    let release = client.command();
    assert!(release.by_source() && release.name() == "exclusive_release");
    client.reply(release.count(0));
    assert_eq!(client.engine.busy(), 0);
}

#[test]
fn an_extension_is_sent_by_source_too() {
    let mut client = Client::ready();
    let lock = client.hold(request("a"));
    let op = client.engine.extend(lock, ms(20_000), client.now);
    client.command();
    client.reply(NO_SCRIPT);
    let extend = client.command();
    assert!(extend.by_source() && extend.name() == "extend");
    client.reply(extend.count(1));
    assert_eq!(client.event(), Event::Extended { op, lock });
}

#[test]
fn one_of_several_servers_gets_the_source_after_the_others_have_granted_the_lock() {
    let mut world = Network::new(3, 1, &Policy::default());
    world.servers[2].flush_scripts();
    world.servers[2].mode = Mode::Slow(50);
    let lock = world.acquire(0, request("a"));
    let (event, took) = world.next_event(0, ms(1000)).unwrap();
    assert!(matches!(event, Event::Granted { lock: granted, .. } if granted == lock), "{event:?}");
    assert!(took < ms(50), "{took:?}");
    assert!(world.written.iter().all(|command| !command.is_call() || !command.by_source()));
    world.run_for(ms(300));
    let by_source = world.written.iter().filter(|command| command.is_call() && command.by_source());
    assert_eq!(by_source.map(Command::name).collect::<Vec<_>>(), ["exclusive_acquire"]);
    assert_eq!(world.holders("a").iter().flatten().count(), 3);
}
