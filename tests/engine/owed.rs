//! What the engine owes the application, for which a process must stay alive (rule 18).

use crate::world::{Client, ms, one_attempt, request};
use redlatch::{Event, Request};

#[test]
fn a_pending_acquire_is_owed_until_its_end() {
    let mut client = Client::ready();
    assert_eq!(client.engine.owed(), 0, "an idle connection is not");
    client.acquire(one_attempt("a"));
    assert_eq!(client.engine.owed(), 1);
    let acquire = client.command();
    client.reply(acquire.denied(1000));
    assert_eq!(client.engine.owed(), 0);
    let (waiting, _) = client.wait_for(Request { wait: ms(60_000), ..request("a") });
    assert_eq!(client.engine.owed(), 1);
    client.engine.cancel(waiting, client.now);
    assert_eq!(client.engine.owed(), 0);
    let in_flight = client.acquire(request("a"));
    assert_eq!(client.engine.owed(), 1);
    client.engine.cancel(in_flight, client.now);
    assert_eq!((client.engine.owed(), client.engine.busy()), (0, 1), "clean-up goes on, and is not owed");
}

#[test]
fn a_held_lock_is_owed_while_it_is_renewed_or_has_a_pending_operation() {
    let mut client = Client::ready();
    let lock = client.hold(request("a"));
    assert_eq!(client.engine.owed(), 0);
    client.engine.verify(lock, client.now);
    assert_eq!(client.engine.owed(), 1);
    let question = client.command();
    client.reply(question.count(1));
    assert_eq!(client.engine.owed(), 0);
    client.engine.release(lock, client.now);
    assert_eq!(client.engine.owed(), 1);
    let release = client.command();
    client.reply(release.count(1));
    assert_eq!(client.engine.owed(), 0);
    client.events();
    let renewed = client.hold(Request { renew: true, ..request("b") });
    client.disconnect("reset");
    assert_eq!(client.engine.owed(), 1, "with or without a connection");
    client.run_for(ms(60_000));
    assert!(matches!(client.events()[..], [Event::Lost { lock, .. }] if lock == renewed));
    assert_eq!(client.engine.owed(), 0);
}

#[test]
fn a_parked_acquire_that_becomes_a_reentry_is_owed_once() {
    let mut client = Client::ready();
    let mine = Request { token: Some(b"mine".to_vec()), wait: ms(5000), ..request("a") };
    client.acquire(mine.clone());
    client.acquire(mine);
    assert_eq!(client.engine.owed(), 2);
    let acquire = client.command();
    client.reply(acquire.granted(1));
    assert_eq!(client.engine.owed(), 1, "the re-entry of one lock");
    let question = client.command();
    client.reply(question.count(1));
    assert_eq!(client.engine.owed(), 0);
}
