//! Fair locks: the leader polls for all waiters of its client, and replies name the head of the queue.

use crate::world::{Client, fair, ms};
use redlatch::{Duration, Endpoint, Event, Policy, Request};

#[test]
fn one_of_a_clients_fair_waiters_polls_for_all() {
    let (mut client, channel) = Client::woken();
    let waiters: Vec<_> = (0..50).map(|_| client.wait_for(fair("a"))).collect();
    let mut polled = Vec::new();
    let end = client.now.after(ms(10_000));
    while client.now < end {
        let (commands, _) = client.advance_to_action();
        for command in commands {
            polled.push(command.waiter_number().to_owned());
            client.reply(command.denied(60_000));
        }
    }
    polled.dedup();
    assert_eq!(polled, [waiters[0].1.waiter_number()], "the leader polls, the others do not");

    // When the leader is served, the second waiter polls; a waiter that is woken polls at once.
    client.advance(ms(10));
    client.message(&channel, waiters[0].1.waiter_number());
    let command = client.command();
    client.reply(command.granted(1));
    client.events();
    let (commands, _) = client.advance_to_action();
    assert_eq!(commands[0].waiter_number(), waiters[1].1.waiter_number());
    client.reply(commands[0].denied(60_000));
    client.advance(ms(10));
    client.message(&channel, waiters[20].1.waiter_number());
    assert_eq!(client.command().waiter_number(), waiters[20].1.waiter_number());
}

/// The longest time without a command that refreshes the position leases of 100 waiters, while the leader
/// gives up every 40 ms.
fn longest_silence(mut before_leaving: impl FnMut(&mut Client)) -> Duration {
    let (mut client, _) = Client::woken();
    let waiters: Vec<_> = (0..100).map(|_| client.wait_for(fair("a")).0).collect();
    let (mut refreshed, mut longest) = (client.now, ms(0));
    let mut answer = |client: &mut Client| {
        for command in client.commands() {
            let waits = command.name() == "fair_acquire" && command.arguments()[5] == "1";
            if waits {
                refreshed = client.now;
            }
            longest = longest.max(client.now.since(refreshed));
            client.reply(if command.name() == "fair_acquire" {
                command.denied(60_000)
            } else {
                command.count(0)
            });
        }
    };
    for first in waiters {
        let leaves = client.now.after(ms(40));
        while client.engine.poll_timeout().is_some_and(|due| due < leaves) {
            client.advance_to_timeout();
            answer(&mut client);
        }
        client.advance(leaves.since(client.now));
        before_leaving(&mut client);
        client.engine.cancel(first, client.now);
        answer(&mut client);
    }
    longest
}

#[test]
fn position_leases_are_refreshed_in_time_however_quickly_leaders_leave() {
    let longest = longest_silence(|_| {});
    assert!(longest <= ms(1000), "{longest:?}, of the 3000 ms of a position lease");
}

#[test]
fn a_single_attempt_does_not_refresh_position_leases() {
    let longest = longest_silence(|client| {
        client.acquire(Request { wait: ms(0), ..fair("a") });
    });
    assert!(longest <= ms(1000), "{longest:?}, of the 3000 ms of a position lease");
}

#[test]
fn a_new_leader_with_an_attempt_in_flight_waits_for_its_reply() {
    let mut client = Client::ready();
    let (first, _) = client.wait_for(fair("a"));
    client.acquire(fair("a"));
    client.command();
    client.engine.cancel(first, client.now);
    assert_eq!(client.command().name(), "fair_release");
    client.run_for(ms(450));
    assert_eq!(client.commands(), [], "a pause is 250 ms at most, and an answer may take 500");
}

#[test]
fn a_new_leader_polls_when_the_queue_is_due_even_if_its_own_poll_is_later() {
    let policy = Policy { retry_min: ms(250), retry_max: ms(250), ..Policy::default() };
    let mut client = Client::with(policy, Endpoint::default());
    let first = client.acquire(fair("a"));
    client.greet();
    let attempt = client.command();
    client.reply(attempt.denied(60_000));
    client.acquire(fair("a"));
    client.command();
    let sent_at = client.now;
    client.advance(ms(100));
    client.reply("-LOADING Redis is loading the dataset in memory\r\n");
    client.engine.cancel(first, client.now);
    assert_eq!(client.command().name(), "fair_release");
    let (commands, _) = client.advance_to_action();
    assert_eq!((commands[0].name(), client.now.since(sent_at)), ("fair_acquire", ms(250)));
}

#[test]
fn when_the_leader_lost_its_position_all_waiters_rejoin_in_order() {
    let (mut client, _) = Client::woken();
    let waiters: Vec<_> = (0..5).map(|_| client.wait_for(fair("a")).1.waiter_number().to_owned()).collect();
    client.wait_for(fair("b"));
    let (mut commands, _) = client.advance_to_action();
    while commands[0].waiter_number() != waiters[0] {
        client.reply(commands[0].denied(60_000));
        (commands, _) = client.advance_to_action();
    }
    client.reply(commands[0].queued(true, 0));
    let rejoined: Vec<_> =
        client.commands().iter().map(|command| command.waiter_number().to_owned()).collect();
    assert_eq!(rejoined, waiters[1..]);
}

#[test]
fn thousands_of_waiters_rejoin_after_their_position_leases_ended() {
    let (mut client, _) = Client::woken();
    let waiters: Vec<_> = (0..5000).map(|_| client.wait_for(fair("a")).0.0.to_string()).collect();
    let (commands, _) = client.advance_to_action();
    client.reply(commands[0].queued(true, 0));
    let rejoined: Vec<_> =
        client.commands().iter().map(|command| command.waiter_number().to_owned()).collect();
    assert_eq!(rejoined, waiters[1..]);
}

#[test]
fn the_first_position_of_a_new_waiter_does_not_make_others_rejoin() {
    let (mut client, _) = Client::woken();
    client.wait_for(fair("a"));
    client.acquire(fair("a"));
    let newcomer = client.command();
    client.reply(newcomer.queued(true, 0));
    assert_eq!(client.commands(), [], "the others have theirs still");
}

#[test]
fn a_new_waiter_behind_the_leader_does_not_make_the_leader_poll() {
    let (mut client, _) = Client::woken();
    let (first, _) = client.wait_for(fair("a"));
    client.advance(ms(10));
    client.acquire(fair("a"));
    let newcomer = client.command();
    client.reply(newcomer.queued(false, first.0));
    assert_eq!(client.commands(), []);
}

#[test]
fn a_wake_up_is_kept_when_its_waiter_becomes_the_leader() {
    let (mut client, channel) = Client::woken();
    let (first, _) = client.wait_for(fair("a"));
    let (second, _) = client.wait_for(fair("a"));
    client.message(&channel, &second.0.to_string());
    client.engine.cancel(first, client.now);
    let release = client.command();
    client.reply(release.count(0));
    let woken = client.now;
    let (commands, _) = client.advance_to_action();
    assert_eq!(commands[0].waiter_number(), second.0.to_string());
    assert!(client.now.since(woken) <= ms(2), "{:?}", client.now.since(woken));
}

#[test]
fn a_reply_that_names_a_waiter_of_this_client_as_head_makes_it_poll() {
    let (mut client, _) = Client::woken();
    let (_, first) = client.wait_for(fair("a"));
    let (second, _) = client.wait_for(fair("a"));
    let (commands, _) = client.advance_to_action();
    assert_eq!(commands[0].waiter_number(), first.waiter_number());
    client.reply(commands[0].queued(false, second.0));
    assert_eq!(client.command().waiter_number(), second.0.to_string());
}

#[test]
fn an_unknown_head_of_this_client_is_removed_from_the_queue() {
    let (mut client, _) = Client::woken();
    let (_, first) = client.wait_for(fair("a"));
    let (commands, _) = client.advance_to_action();
    client.reply(commands[0].queued(false, 7_000_000));
    let release = client.command();
    assert_eq!(release.name(), "fair_release");
    assert_eq!(release.keys()[0], "a");
    let ours = first.waiter().split(':').next().unwrap();
    assert_eq!(release.waiter(), format!("{ours}:7000000"));
    let token = release.token();
    assert!(token.len() == 40 && token != first.token(), "a token that nobody has: {token}");
    client.reply(release.count(0));
    assert_eq!(client.engine.busy(), 1);
}

#[test]
fn a_fair_waiter_whose_acquire_failed_retries_even_if_it_is_not_the_leader() {
    let (mut client, _) = Client::woken();
    client.wait_for(fair("a"));
    let second = client.acquire(fair("a"));
    client.command();
    client.reply("-LOADING Redis is loading the dataset in memory\r\n");
    let end = client.now.after(ms(1100));
    let mut retried = false;
    while client.now < end && !retried {
        let (commands, _) = client.advance_to_action();
        retried = commands.iter().any(|command| command.waiter_number() == second.0.to_string());
        for command in commands {
            client.reply(command.denied(60_000));
        }
    }
    assert!(retried, "it is unknown whether the waiter has a position");
}

#[test]
fn an_adopted_fair_lock_takes_no_part_in_the_queue() {
    let loading = "-LOADING Redis is loading the dataset in memory\r\n";
    let mut client = Client::ready();
    client.acquire(Request { adopt: Some(7), token: Some(b"theirs".to_vec()), ..fair("a") });
    client.command();
    client.reply(loading);
    client.wait_for(fair("a"));
    let end = client.now.after(ms(1100));
    let mut polled = Vec::new();
    while client.now < end {
        for command in client.advance_to_action().0 {
            let is_waiter = command.name() == "fair_acquire";
            client.reply(if is_waiter { command.denied(60_000) } else { loading.to_owned() });
            polled.push(is_waiter);
        }
    }
    assert!(polled.contains(&true), "the waiter is the leader");
    assert!(polled.contains(&false), "and the adoption is retried");
}

#[test]
fn without_wake_ups_the_leader_polls_quickly() {
    let mut client = Client::ready();
    client.wait_for(fair("a"));
    client.wait_for(fair("a"));
    for _ in 0..10 {
        let before = client.now;
        let (commands, _) = client.advance_to_action();
        assert_eq!(commands.len(), 1);
        assert!((ms(50)..=ms(250)).contains(&client.now.since(before)));
        client.reply(commands[0].denied(60_000));
    }
}

#[test]
fn a_fair_waiter_that_times_out_leaves_the_queue() {
    let (mut client, _) = Client::woken();
    let (lock, acquire) = client.wait_for(Request { wait: ms(100), ..fair("a") });
    let (commands, events) = client.advance_to_action();
    assert!(matches!(events[0], Event::Failed { lock: failed, .. } if failed == lock));
    assert_eq!(commands[0].name(), "fair_release");
    assert_eq!((commands[0].value(), commands[0].waiter()), (acquire.value(), acquire.waiter()));
    client.reply(commands[0].count(0));
    assert_eq!(client.engine.busy(), 0);
}

#[test]
fn a_fair_lock_is_extended_like_any_other_and_released_by_the_fair_script() {
    let (mut client, _) = Client::woken();
    let lock = client.acquire(fair("a"));
    let acquire = client.command();
    let keys = ["a", "redlatch:queue:{a}", "redlatch:places:{a}", "redlatch:fence"];
    assert_eq!(acquire.keys(), keys);
    client.reply(acquire.granted(1));
    client.events();
    client.engine.extend(lock, ms(20_000), client.now);
    let extend = client.command();
    assert_eq!((extend.name(), extend.keys()), ("extend", ["a".to_owned()].as_slice()));
    client.reply(extend.count(1));
    client.engine.release(lock, client.now);
    let release = client.command();
    assert_eq!(release.name(), "fair_release");
    assert_eq!(release.keys(), &keys[..3]);
}
