//! Waiting with wake-ups: messages are hints, polling is the safety net, and one waiter asks for all of a client's.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "tests may fail"
)]

mod support;

use redlatch::{Event, LockId, Request};
use support::{Client, Command, HELLO_MAP, ms, request};

fn fair(key: &str) -> Request {
    Request { fair: true, wait: ms(60_000), ..request(key) }
}

/// A client with wake-ups, and the channel on which they come.
fn woken() -> (Client, String) {
    let mut client = Client::new();
    client.acquire(Request { wait: ms(0), ..request("warm-up") });
    let channel = client.greet_with_wakes();
    let acquire = client.command();
    client.reply(acquire.taken(1));
    client.events();
    assert_eq!(client.engine.busy(), 0);
    (client, channel)
}

/// Asks for a lock that another holds for a minute.
fn waiting(client: &mut Client, request: Request) -> (LockId, Command) {
    let lock = client.acquire(request);
    let acquire = client.command();
    client.reply(acquire.taken(60_000));
    (lock, acquire)
}

fn number(command: &Command) -> &str {
    command.arguments()[3].split(':').nth(1).unwrap()
}

#[test]
fn who_waits_leaves_word_where_a_message_reaches_it() {
    let (mut client, channel) = woken();
    let (lock, acquire) = waiting(&mut client, request("a"));
    let client_name = channel.strip_prefix("redlatch:wake:").unwrap();
    assert_eq!(acquire.arguments()[3], format!("{client_name}:{}", lock.0));
    assert_eq!(acquire.arguments()[4], "3000", "three of the longest pauses");
    assert!(
        !acquire.arguments()[3].contains(&acquire.arguments()[1]),
        "not the token: messages are seen by others"
    );
}

#[test]
fn a_message_causes_an_attempt_and_never_a_grant() {
    let (mut client, channel) = woken();
    let (lock, acquire) = waiting(&mut client, request("a"));
    client.advance(ms(10));
    client.message(&channel, number(&acquire));
    assert_eq!(client.events(), []);
    let again = client.command();
    assert_eq!(again.name(), "exclusive_acquire");
    client.reply(again.granted(5));
    assert!(matches!(client.event(), Event::Granted { lock: granted, fence: 5, .. } if granted == lock));
}

#[test]
fn a_flood_of_messages_causes_one_attempt_at_a_time_and_not_too_many() {
    let (mut client, channel) = woken();
    let (_, acquire) = waiting(&mut client, request("a"));
    let begun = client.now;
    let mut attempts = 0;
    for _ in 0..10_000 {
        client.message(&channel, number(&acquire));
        client.run_for(redlatch::Duration::from_micros(10));
        for command in client.commands() {
            attempts += 1;
            client.reply(command.taken(60_000));
        }
    }
    assert_eq!(client.now.since(begun), ms(100));
    assert!((10..=50).contains(&attempts), "{attempts} attempts in 100 ms");
}

#[test]
fn messages_of_others_and_nonsense_are_passed_over() {
    let (mut client, channel) = woken();
    let (_, acquire) = waiting(&mut client, request("a"));
    client.advance(ms(10));
    for (on, text) in [
        ("redlatch:wake:else", number(&acquire)),
        (channel.as_str(), ""),
        (&channel, "x"),
        (&channel, "-1"),
        (&channel, "99999999999"),
        (&channel, "4294967295"),
        (&channel, "0"),
    ] {
        client.message(on, text);
    }
    client.reply(">1\r\n$7\r\nmessage\r\n>0\r\n>2\r\n+message\r\n_\r\n");
    assert_eq!((client.commands(), client.events(), client.closed.len()), (vec![], vec![], 0));
}

#[test]
fn a_message_that_comes_with_an_attempt_in_flight_causes_another_after_it() {
    let (mut client, channel) = woken();
    let (_, acquire) = waiting(&mut client, request("a"));
    let (again, _) = client.advance_to_action();
    client.message(&channel, number(&acquire));
    assert_eq!(client.commands(), []);
    client.reply(again[0].taken(60_000));
    let before = client.now;
    let (third, _) = client.advance_to_action();
    assert_eq!(third[0].name(), "exclusive_acquire");
    assert!(client.now.since(before) <= ms(2));
}

#[test]
fn with_wake_ups_polling_is_rarer_and_goes_on() {
    let (mut client, _) = woken();
    let (_, _) = waiting(&mut client, Request { wait: ms(60_000), ..request("a") });
    for _ in 0..20 {
        let before = client.now;
        let (commands, _) = client.advance_to_action();
        assert!((ms(250)..=ms(1000)).contains(&client.now.since(before)));
        client.reply(commands[0].taken(60_000));
    }
}

#[test]
fn who_stops_waiting_takes_its_word_back() {
    let (mut client, _) = woken();
    let (lock, acquire) = waiting(&mut client, request("a"));
    client.engine.cancel(lock, client.now);
    let release = client.command();
    assert_eq!((release.name(), &release.arguments()[2]), ("exclusive_release", &acquire.arguments()[3]));
    client.reply(release.number(0));
    assert_eq!(client.engine.busy(), 0);
}

#[test]
fn a_try_leaves_no_word() {
    let (mut client, _) = woken();
    let (_, acquire) = waiting(&mut client, Request { wait: ms(0), ..request("a") });
    assert_eq!(acquire.arguments()[3], "");
    client.acquire(Request { wait: ms(0), ..fair("a") });
    let attempt = client.command();
    assert_eq!((attempt.name(), attempt.arguments()[5].as_str()), ("fair_acquire", "0"));
}

#[test]
fn one_of_a_clients_fair_waiters_asks_for_all() {
    let (mut client, channel) = woken();
    let waiters: Vec<_> = (0..50).map(|_| waiting(&mut client, fair("a"))).collect();
    let mut asked = Vec::new();
    let end = client.now.after(ms(10_000));
    while client.now < end {
        let (commands, _) = client.advance_to_action();
        for command in commands {
            asked.push(number(&command).to_owned());
            client.reply(command.taken(60_000));
        }
    }
    asked.dedup();
    assert_eq!(asked, [number(&waiters[0].1)], "the first asks, the others do not");

    // When the first is served, the second asks; when it is woken, whoever it is, it asks at once.
    client.advance(ms(10));
    client.message(&channel, number(&waiters[0].1));
    let command = client.command();
    client.reply(command.granted(1));
    client.events();
    let (commands, _) = client.advance_to_action();
    assert_eq!(number(&commands[0]), number(&waiters[1].1));
    client.reply(commands[0].taken(60_000));
    client.advance(ms(10));
    client.message(&channel, number(&waiters[20].1));
    assert_eq!(number(&client.command()), number(&waiters[20].1));
}

#[test]
fn when_the_first_lost_its_place_all_of_its_line_ask_for_new_ones_in_their_order() {
    let (mut client, _) = woken();
    let line: Vec<_> = (0..5).map(|_| number(&waiting(&mut client, fair("a")).1).to_owned()).collect();
    waiting(&mut client, fair("b"));
    let (mut commands, _) = client.advance_to_action();
    while number(&commands[0]) != line[0] {
        client.reply(commands[0].taken(60_000));
        (commands, _) = client.advance_to_action();
    }
    let nonce = commands[0].nonce();
    client.reply(format!("*5\r\n$16\r\n{nonce}\r\n:0\r\n:60000\r\n:1\r\n:0\r\n"));
    let asked: Vec<_> = client.commands().iter().map(|command| number(command).to_owned()).collect();
    assert_eq!(asked, line[1..]);
}

/// A no that names another waiter of the client as the head of the queue.
fn behind(command: &Command, head: u32) -> String {
    format!("*5\r\n$16\r\n{}\r\n:0\r\n:60000\r\n:0\r\n:{head}\r\n", command.nonce())
}

#[test]
fn a_head_of_our_own_that_waits_is_made_to_ask() {
    let (mut client, _) = woken();
    let (_, first) = waiting(&mut client, fair("a"));
    let (second, _) = waiting(&mut client, fair("a"));
    let (commands, _) = client.advance_to_action();
    assert_eq!(number(&commands[0]), number(&first));
    client.reply(behind(&commands[0], second.0));
    assert_eq!(number(&client.command()), second.0.to_string());
}

#[test]
fn a_head_of_our_own_that_nothing_is_known_of_is_given_up() {
    let (mut client, _) = woken();
    let (_, first) = waiting(&mut client, fair("a"));
    let (commands, _) = client.advance_to_action();
    client.reply(behind(&commands[0], 7_000_000));
    let release = client.command();
    assert_eq!(release.name(), "fair_release");
    assert_eq!(release.keys()[0], "a");
    let ours = first.arguments()[3].split(':').next().unwrap();
    assert_eq!(release.arguments()[1..], ["".to_owned(), format!("{ours}:7000000")]);
    client.reply(release.number(0));
    assert_eq!(client.engine.busy(), 1);
}

#[test]
fn a_fair_waiter_whose_question_failed_asks_again_though_it_is_not_the_first() {
    let (mut client, _) = woken();
    waiting(&mut client, fair("a"));
    let second = client.acquire(fair("a"));
    client.command();
    client.reply("-LOADING Redis is loading the dataset in memory\r\n");
    let end = client.now.after(ms(1100));
    let mut asked = false;
    while client.now < end && !asked {
        let (commands, _) = client.advance_to_action();
        asked = commands.iter().any(|command| number(command) == second.0.to_string());
        for command in commands {
            client.reply(command.taken(60_000));
        }
    }
    assert!(asked, "whether it has a place is not known");
}

#[test]
fn a_fair_lock_that_is_adopted_takes_part_in_no_line() {
    let (mut client, _) = woken();
    waiting(&mut client, fair("a"));
    client.acquire(Request { adopt: true, token: Some(b"theirs".to_vec()), ..fair("a") });
    client.command();
    client.reply("-LOADING Redis is loading the dataset in memory\r\n");
    let end = client.now.after(ms(1100));
    let mut tried_again = false;
    while client.now < end && !tried_again {
        let (commands, _) = client.advance_to_action();
        tried_again = commands.iter().any(|command| command.name() == "exclusive_extend");
        commands.iter().for_each(|command| client.reply(command.taken(60_000)));
    }
    assert!(tried_again);
}

#[test]
fn without_wake_ups_the_first_fair_waiter_polls_quickly() {
    let mut client = Client::ready();
    waiting(&mut client, fair("a"));
    waiting(&mut client, fair("a"));
    for _ in 0..10 {
        let before = client.now;
        let (commands, _) = client.advance_to_action();
        assert_eq!(commands.len(), 1);
        assert!((ms(50)..=ms(250)).contains(&client.now.since(before)));
        client.reply(commands[0].taken(60_000));
    }
}

#[test]
fn a_fair_waiter_that_gives_up_gives_its_place_up() {
    let (mut client, _) = woken();
    let (lock, acquire) = waiting(&mut client, Request { wait: ms(100), ..fair("a") });
    let (commands, events) = client.advance_to_action();
    assert!(matches!(events[0], Event::Failed { lock: failed, .. } if failed == lock));
    assert_eq!(commands[0].name(), "fair_release");
    assert_eq!(
        commands[0].arguments()[1..],
        [acquire.arguments()[1].clone(), acquire.arguments()[3].clone()]
    );
    client.reply(commands[0].number(0));
    assert_eq!(client.engine.busy(), 0);
}

#[test]
fn a_fair_lock_is_extended_as_any_other_and_released_to_the_next_in_line() {
    let (mut client, _) = woken();
    let lock = client.acquire(fair("a"));
    let acquire = client.command();
    let derived = |name: &str| format!("{{a}}:redlatch:{name}:a");
    assert_eq!(acquire.keys(), ["a".into(), derived("fence"), derived("queue"), derived("places")]);
    client.reply(acquire.granted(1));
    client.events();
    client.engine.extend(lock, ms(20_000), client.now);
    let extend = client.command();
    assert_eq!(
        (extend.name(), extend.keys()),
        ("exclusive_extend", ["a".into(), derived("fence")].as_slice())
    );
    client.reply(extend.number(1));
    client.engine.release(lock, client.now);
    let release = client.command();
    assert_eq!(
        (release.name(), release.keys()),
        ("fair_release", ["a".into(), derived("queue"), derived("places")].as_slice())
    );
}

#[test]
fn wake_ups_are_asked_for_anew_on_every_connection() {
    let (mut client, channel) = woken();
    waiting(&mut client, Request { wait: ms(60_000), ..request("a") });
    client.engine.handle_closed(client.connection.take().unwrap(), "reset", client.now);
    while client.connection.is_none() {
        client.advance_to_timeout();
        client.drain_connections();
    }
    client.connect();
    client.command();
    client.reply(HELLO_MAP);
    assert_eq!(client.command().0, ["SUBSCRIBE", &channel]);
    client.reply(">3\r\n$9\r\nsubscribe\r\n$1\r\nx\r\n:1\r\n");
    assert_eq!(client.command().name(), "exclusive_acquire", "and the lock is asked for at once");
}
