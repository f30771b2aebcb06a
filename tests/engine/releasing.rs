//! Releasing: the outcome for the application, and the clean-up that continues after it.

use crate::world::{Client, Command, LOOK, ms, request};
use redlatch::{Event, HandleId, Loss, ReleaseOutcome, Request};

fn releasing() -> (Client, HandleId, Command) {
    let mut client = Client::ready();
    let lock = client.hold(request("a"));
    client.engine.release(lock, client.now);
    let release = client.command();
    assert_eq!(release.name(), "exclusive_release");
    assert_eq!(release.keys(), ["a", "redlatch:waiters:{a}"]);
    (client, lock, release)
}

fn released(lock: HandleId, outcome: ReleaseOutcome) -> Vec<Event> {
    vec![Event::Released { lock, outcome }]
}

/// The loss of a lock whose release found it gone.
fn gone(lock: HandleId) -> Vec<Event> {
    vec![Event::Lost { lock, loss: Loss::Gone, reason: None }]
}

#[test]
fn a_release_that_finds_the_lock_gone_reports_a_loss() {
    for deleted in [1, 0] {
        let (mut client, lock, release) = releasing();
        client.reply(release.count(deleted));
        let outcome = if deleted == 1 { released(lock, ReleaseOutcome::Released) } else { gone(lock) };
        assert_eq!(client.events(), outcome);
        assert_eq!(client.engine.busy(), 0);
    }
}

#[test]
fn a_lock_that_a_close_has_ended_is_not_lost_again_by_its_release() {
    let mut client = Client::ready();
    let lock = client.hold(request("a"));
    client.engine.close(&[], client.now);
    assert_eq!(client.event(), Event::Lost { lock, loss: Loss::Closed, reason: None });
    let release = client.command();
    client.reply(release.count(0));
    assert_eq!(client.events(), released(lock, ReleaseOutcome::Expired));
    assert_eq!(client.engine.inspect().counters.lost, 0);
}

#[test]
fn a_lock_of_several_keys_is_released_if_all_were_ours() {
    let mut client = Client::ready();
    let lock = client.hold(Request { keys: vec![b"a".to_vec(), b"b".to_vec()], ..request("") });
    client.engine.release(lock, client.now);
    let release = client.command();
    assert_eq!(release.keys(), ["a", "redlatch:waiters:{a}", "b", "redlatch:waiters:{b}"]);
    client.reply(release.count(1));
    assert_eq!(client.events(), gone(lock));
}

#[test]
fn a_second_release_reports_nothing_and_sends_nothing() {
    let (mut client, lock, release) = releasing();
    client.engine.release(lock, client.now);
    assert_eq!(client.commands(), []);
    client.reply(release.count(1));
    client.engine.release(lock, client.now);
    assert_eq!(client.events(), released(lock, ReleaseOutcome::Released));
    assert_eq!(client.commands(), []);
}

#[test]
fn without_a_reply_the_outcome_is_unknown_in_time_and_clean_up_continues() {
    let (mut client, lock, _) = releasing();
    let sent_at = client.now;
    let events = loop {
        let (_, events) = client.advance_to_action();
        if !events.is_empty() {
            break events;
        }
    };
    let patience = ms(2 * 2000 + 1000).plus(LOOK);
    assert_eq!((events, client.now.since(sent_at)), (released(lock, ReleaseOutcome::Unknown), patience));
    client.greet();
    let again = client.command();
    assert_eq!(again.name(), "exclusive_release");
    client.reply(again.count(0));
    assert_eq!(client.events(), [], "reported once");
    assert_eq!(client.engine.busy(), 0);
}

#[test]
fn a_release_lost_with_its_connection_is_sent_over_the_next_one() {
    let (mut client, lock, _) = releasing();
    client.disconnect("reset");
    client.wait_for_dial();
    client.greet();
    let again = client.command();
    assert_eq!(again.name(), "exclusive_release");
    // The first release may have been executed: "not ours" proves nothing.
    client.reply(again.count(0));
    assert_eq!(client.events(), released(lock, ReleaseOutcome::Unknown));
    assert_eq!(client.engine.busy(), 0);
}

#[test]
fn clean_up_ends_when_every_lease_has_expired() {
    let (mut client, lock, _) = releasing();
    client.disconnect("reset");
    let begun = client.now;
    while client.engine.busy() > 0 {
        client.advance_to_timeout();
        client.drain_io();
        if let Some(id) = client.connection.take() {
            client.engine.handle_closed(id, "refused", client.now);
        }
    }
    assert_eq!(client.now.since(begun), ms(10_000 + 100 + 2));
    assert_eq!(client.events(), released(lock, ReleaseOutcome::Unknown));
}

#[test]
fn a_permanent_error_ends_clean_up_at_once() {
    let (mut client, lock, _) = releasing();
    client.reply("-NOPERM this user has no permissions to run the 'evalsha' command\r\n");
    assert_eq!(client.events(), released(lock, ReleaseOutcome::Unknown));
    assert_eq!(client.engine.busy(), 0);
}

#[test]
fn a_lock_released_before_its_grant_is_polled_is_not_reported_as_granted() {
    let mut client = Client::ready();
    let lock = client.acquire(request("a"));
    let acquire = client.command();
    let (connection, now) = (client.connection.expect("a connection"), client.now);
    client.engine.handle_bytes(connection, acquire.granted(7).as_bytes(), now);
    client.engine.release(lock, now);
    let release = client.command();
    client.reply(release.count(1));
    assert_eq!(client.events(), released(lock, ReleaseOutcome::Released));
}

#[test]
fn a_transient_error_is_retried() {
    let (mut client, lock, _) = releasing();
    client.reply("-BUSY Redis is busy running a script\r\n");
    let (again, events) = client.advance_to_action();
    assert_eq!((again[0].name(), events), ("exclusive_release", vec![]));
    client.reply(again[0].count(1));
    assert_eq!(client.events(), released(lock, ReleaseOutcome::Released));
}

#[test]
fn clean_up_outlasts_the_longest_lease_requested() {
    let mut client = Client::ready();
    let lock = client.hold(request("a"));
    client.engine.extend(lock, ms(60_000), client.now);
    let extend = client.command();
    client.reply(extend.count(1));
    client.engine.release(lock, client.now);
    client.command();
    let begun = client.now;
    while client.engine.busy() > 0 {
        client.drain_io();
        if let Some(id) = client.connection.take() {
            client.engine.handle_closed(id, "refused", client.now);
        }
        client.advance_to_timeout();
    }
    assert_eq!(client.now.since(begun), ms(60_000 + 600 + 2));
}

#[test]
fn a_release_that_finds_the_pipeline_full_is_sent_later() {
    let mut client = Client::ready();
    // Not alike, so that no two share a call.
    let unlike = |number: u64| Request { ttl: ms(1000 + number % 2), ..request("a") };
    let locks: Vec<_> = (0..65_536).map(|number| client.acquire(unlike(number))).collect();
    let acquires = client.commands();
    for lock in locks {
        client.engine.cancel(lock, client.now);
    }
    assert_eq!(client.commands().len(), 0, "there is no room for a release");
    for acquire in acquires {
        client.reply(acquire.denied(60_000));
    }
    client.run_for(ms(200));
    let released: usize = client.commands().iter().map(|release| release.call().locks()).sum();
    assert!(released > 0, "they go out when there is room");
    assert_eq!(client.engine.busy(), 65_536, "none is forgotten");
}

#[test]
fn a_renewal_that_is_overdue_at_the_release_is_not_sent() {
    let mut client = Client::ready();
    let lock = client.hold(Request { renew: true, ..request("a") });
    client.advance(ms(4000)); // the renewal was due after 3333 ms, and the timer is late
    client.engine.release(lock, client.now);
    assert_eq!(client.command().name(), "exclusive_release");
}

#[test]
fn a_queued_extension_is_not_sent_after_the_release() {
    let mut client = Client::ready();
    let lock = client.hold(request("a"));
    client.engine.verify(lock, client.now);
    assert_eq!(client.command().name(), "extend");
    client.engine.extend(lock, ms(9000), client.now);
    client.engine.release(lock, client.now);
    assert_eq!(client.command().name(), "exclusive_release");
}

#[test]
fn a_lock_cancelled_at_the_end_of_its_wait_reports_nothing() {
    let mut client = Client::ready();
    let lock = client.acquire(request("a"));
    let acquire = client.command();
    client.reply(acquire.denied(9000));
    client.advance(ms(5000)); // the wait is over, and the timer is late
    client.engine.cancel(lock, client.now);
    assert_eq!(client.events(), []);
}

#[test]
fn a_lock_cancelled_after_its_lease_ended_unseen_reports_nothing() {
    let mut client = Client::ready();
    let lock = client.acquire(request("a"));
    let acquire = client.command();
    client.reply(acquire.granted(1)); // and the application has not heard of it
    client.advance(ms(10_000)); // the lease is over, and the timer is late
    client.engine.cancel(lock, client.now);
    assert_eq!(client.events(), []);
}

#[test]
fn while_a_reply_may_still_arrive_the_next_timer_is_node_timeout() {
    let (client, _, _) = releasing();
    let next = client.engine.poll_timeout().unwrap();
    assert_eq!(next.since(client.now), ms(2000), "nodeTimeout: nothing is repeated earlier");
}

#[test]
fn only_released_locks_are_counted_as_released() {
    let (mut client, _, release) = releasing();
    client.reply(release.count(1));
    client.events();
    assert_eq!(client.engine.inspect().counters.released, 1);
    let lock = client.hold(request("a"));
    client.engine.release(lock, client.now);
    let release = client.command();
    client.reply(release.count(0));
    assert_eq!(client.events(), gone(lock));
    let counters = client.engine.inspect().counters;
    assert_eq!((counters.released, counters.lost), (1, 1));
}
