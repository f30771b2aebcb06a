//! Renewal: at a third of the lease, until the release.

use crate::extend_verify::VALID;
use crate::world::{Client, ms, request};
use redlatch::{Code, Duration, Event, Instant, Loss, ReleaseOutcome, Request};

#[test]
fn a_renewal_is_sent_at_each_third_of_the_lease_until_the_release() {
    let mut client = Client::ready();
    let lock = client.hold(Request { renew: true, ..request("a") });
    for _ in 0..20 {
        let before = client.now;
        let (commands, events) = client.advance_to_action();
        assert_eq!((commands[0].name(), events), ("extend", vec![]));
        // A third is 3 333 ms; the grid has steps of 100 ms.
        assert!((3233..=3333).contains(&client.now.since(before).as_millis()));
        client.reply(commands[0].count(1));
        assert_eq!(client.engine.remaining(lock, client.now), ms(VALID));
    }
    client.engine.release(lock, client.now);
    let release = client.command();
    client.reply(release.count(1));
    assert_eq!(client.event(), Event::Released { lock, outcome: ReleaseOutcome::Released });
    client.run_for(ms(60_000));
    assert_eq!(client.commands(), []);
}

#[test]
fn a_failed_renewal_is_retried_sooner_and_the_loss_is_reported_in_time() {
    let mut client = Client::ready();
    let lock = client.hold(Request { renew: true, ..request("a") });
    let granted = client.now;
    let mut pauses = Vec::new();
    let lost = loop {
        let before = client.now;
        let (commands, mut events) = client.advance_to_action();
        if let Some(event) = events.pop() {
            break event;
        }
        assert_eq!(commands[0].name(), "extend");
        pauses.push(client.now.since(before));
        client.reply("-BUSY Redis is busy running a script\r\n");
    };
    let Event::Lost { lock: ended, loss: Loss::Expired, reason: Some(reason) } = lost else {
        panic!("{lost:?}")
    };
    assert_eq!((ended, reason.code, &*reason.prefix), (lock, Code::Server, "BUSY"));
    assert!(pauses.is_sorted_by(|a, b| a >= b), "{pauses:?}");
    assert!((5..40).contains(&pauses.len()), "{pauses:?}");
    assert_eq!(client.now.since(granted), ms(VALID - 25));
}

#[test]
fn a_lost_connection_is_redialed_for_the_renewal() {
    let mut client = Client::ready();
    let lock = client.hold(Request { renew: true, ..request("a") });
    client.disconnect("reset");
    client.run_for(ms(3400));
    client.greet();
    let renewal = client.command();
    assert_eq!(renewal.name(), "extend");
    client.reply(renewal.count(1));
    assert!(client.engine.remaining(lock, client.now) > ms(VALID - 100));
}

#[test]
fn after_a_release_no_extension_is_sent() {
    // At the release, the renewal is due, in flight, or about to be sent by source.
    for reply in ["", "-NOSCRIPT No matching script.\r\n", "-BUSY Redis is busy\r\n"] {
        let mut client = Client::ready();
        let lock = client.hold(Request { renew: true, ..request("a") });
        let (renewal, _) = client.advance_to_action();
        client.engine.extend(lock, ms(20_000), client.now);
        client.engine.release(lock, client.now);
        assert_eq!(client.command().name(), "exclusive_release");
        client.reply(if reply.is_empty() { renewal[0].count(1) } else { reply.to_owned() });
        client.run_for(ms(30_000));
        let names: Vec<_> = client.commands().iter().map(|command| command.name().to_owned()).collect();
        assert!(!names.contains(&"extend".to_owned()), "{names:?}");
    }
}

#[test]
fn max_hold_ends_a_renewed_lock() {
    let mut client = Client::ready();
    let lock = client.hold(Request { renew: true, max_hold: ms(7000), ..request("a") });
    let granted = client.now;
    loop {
        let (commands, events) = client.advance_to_action();
        if let [Event::Lost { lock: lost, loss, .. }] = events[..] {
            assert_eq!((lost, loss, commands[0].name()), (lock, Loss::MaxHold, "exclusive_release"));
            break;
        }
        client.reply(commands[0].count(1));
    }
    assert_eq!(client.now.since(granted), ms(7000));
}

#[test]
fn renewals_with_late_replies_still_extend_the_lease() {
    let mut client = Client::ready();
    let lock = client.hold(Request { renew: true, ..request("a") });
    let end = client.now.after(ms(60_000));
    let mut answers = std::collections::VecDeque::new();
    while client.now < end {
        for command in client.commands() {
            answers.push_back((client.now.after(ms(600)), command.count(1)));
        }
        assert_eq!(client.events(), [], "every extension was carried out");
        let timer = client.engine.poll_timeout().unwrap();
        match answers.front() {
            Some((when, _)) if *when <= timer => {
                let (when, answer) = answers.pop_front().unwrap();
                client.now = client.now.max(when);
                client.reply(answer);
            }
            _ => client.advance_to_timeout(),
        }
    }
    assert!(client.engine.remaining(lock, client.now) > Duration::ZERO);
}

#[test]
fn a_failed_verification_does_not_delay_the_renewal() {
    let mut client = Client::ready();
    let lock = client.hold(Request { renew: true, ..request("a") });
    let held_at = client.now;
    loop {
        client.engine.verify(lock, client.now);
        if client.commands().iter().any(|command| command.lease() != 0) {
            break;
        }
        client.reply("-BUSY Redis is busy running a script\r\n");
        client.events();
        client.advance(ms(100));
        client.engine.handle_timeout(client.now);
    }
    assert!(client.now.since(held_at) <= ms(3500), "{:?}", client.now.since(held_at));
}

#[test]
fn each_renewal_is_sent_a_third_of_the_lease_after_the_previous_one() {
    let mut client = Client::ready();
    client.acquire(Request { renew: true, ttl: ms(9000), ..request("a") });
    let mut command = client.command();
    let mut sent_at = client.now;
    for round in 1..=3 {
        client.advance(ms(300));
        client.reply(if round == 1 { command.granted(1) } else { command.count(1) });
        client.events();
        command = client.advance_to_action().0.remove(0);
        assert_eq!(command.name(), "extend");
        // On a grid of a hundredth of the lease.
        assert!((2911..=3000).contains(&client.now.since(sent_at).as_millis()), "round {round}");
        sent_at = client.now;
    }
}

#[test]
fn renewals_of_many_locks_share_calls() {
    let mut client = Client::ready();
    for key in 0..100 {
        client.hold(Request { renew: true, ttl: ms(30_000), ..request(format!("k{key}")) });
        client.advance(ms(10));
    }
    // Within a second they were granted, so within a second they are renewed: in 11 steps of the grid at most.
    let mut calls = 0;
    while calls == 0 || client.now.since(Instant::default()) < ms(13_000) {
        let (commands, _) = client.advance_to_action();
        calls += commands.len();
        for command in commands {
            client.reply(command.count(command.call().locks()));
        }
    }
    assert!((1..=11).contains(&calls), "{calls} calls");
    assert_eq!(client.engine.busy(), 100);
}
