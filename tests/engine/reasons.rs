//! A lost lock says why it was not extended, and a failure says what caused it.

use crate::extend_verify::held;
use crate::world::{Client, Command, ms, request};
use redlatch::{Code, Event, HandleId, LockError, Loss, Observed, Request};

/// A client with a renewed lock.
fn renewed() -> (Client, HandleId) {
    let mut client = Client::ready();
    let lock = client.hold(Request { renew: true, ..request("a") });
    (client, lock)
}

/// Lets the client run until its lock is lost, with `reply` to each command, and returns the reason.
fn reason_of_loss(client: &mut Client, lock: HandleId, reply: Option<&str>) -> Option<LockError> {
    for _ in 0..100 {
        let (_, events) = client.advance_to_action();
        for event in events {
            if let Event::Lost { lock: lost, loss, reason } = event {
                assert_eq!((lost, loss), (lock, Loss::Expired));
                return reason.map(|reason| (*reason).clone());
            }
        }
        if let Some(reply) = reply {
            client.reply(reply);
        }
    }
    panic!("the lock was not lost")
}

#[test]
fn a_lock_that_expires_says_why_its_last_renewal_failed() {
    for (reply, prefix) in [
        ("-NOPERM this user has no permissions to run the 'evalsha' command\r\n", "NOPERM"),
        ("-MISCONF Redis is configured to save RDB snapshots\r\n", "MISCONF"),
    ] {
        let (mut client, lock) = renewed();
        let reason = reason_of_loss(&mut client, lock, Some(reply)).unwrap();
        assert_eq!((reason.code, &*reason.prefix), (Code::Server, prefix));
        assert!(reason.node.is_some());
    }
}

#[test]
fn a_lock_that_expires_in_silence_says_so() {
    let (mut client, lock) = renewed();
    let reason = reason_of_loss(&mut client, lock, None).unwrap();
    assert_eq!(reason.code, Code::Connection);
    assert!(reason.node.is_some(), "{reason:?}");
}

#[test]
fn a_lock_that_nobody_tried_to_extend_has_no_reason_besides_its_expiry() {
    let (mut client, lock) = held();
    client.run_for(ms(20_000));
    assert_eq!(client.events(), [Event::Lost { lock, loss: Loss::Expired, reason: None }]);
}

#[test]
fn an_extension_that_succeeds_ends_the_reason_of_an_earlier_one() {
    let (mut client, lock) = held();
    let mut extend = |reply: fn(&Command) -> String| {
        client.engine.extend(lock, ms(10_000), client.now);
        let command = client.command();
        client.reply(reply(&command));
        client.event()
    };
    let failed = extend(|_| "-BUSY Redis is busy running a script\r\n".to_owned());
    assert!(matches!(failed, Event::OperationFailed { .. }), "{failed:?}");
    let extended = extend(|command| command.count(1));
    assert!(matches!(extended, Event::Extended { .. }), "{extended:?}");
    client.run_for(ms(20_000));
    assert_eq!(client.events(), [Event::Lost { lock, loss: Loss::Expired, reason: None }]);
}

#[test]
fn observers_hear_of_each_failed_renewal_and_of_the_round_trip_of_each_that_succeeded() {
    let (mut client, lock) = renewed();
    client.engine.observe(Observed::Everything);
    let (_, events) = client.advance_to_action();
    assert_eq!(events, []);
    client.reply("-BUSY Redis is busy running a script\r\n");
    let event = client.event();
    assert!(
        matches!(&event, Event::RenewFailed { lock: renewed, failure } if *renewed == lock && &*failure.prefix == "BUSY"),
        "{event:?}"
    );
    let (commands, _) = client.advance_to_action();
    client.advance(ms(7));
    client.reply(commands[0].count(1));
    assert_eq!(client.event(), Event::Renewed { lock, rtt: ms(7) });
}

#[test]
fn the_failure_of_a_first_connection_is_reported_at_once_and_later_ones_only_to_observers() {
    let mut client = Client::new();
    client.engine.observe(Observed::FirstContacts);
    client.acquire(Request { wait: ms(60_000), ..request("a") });
    for attempt in 0..3 {
        client.wait_for_dial();
        client.disconnect("connect ECONNREFUSED");
        let refusals = client
            .events()
            .iter()
            .filter(|event| matches!(event, Event::Connection { error: Some(_), .. }))
            .count();
        assert_eq!(refusals, usize::from(attempt == 0));
    }
}
