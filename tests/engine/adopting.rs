//! Adopting a lock that another process acquired, and claims.

use crate::reentry::mine;
use crate::world::{Client, ms, request};
use redlatch::{Code, Event, Request};

#[test]
fn adoption_extends_a_lock_that_another_process_acquired() {
    let mut client = Client::ready();
    let lock = client.acquire(Request { adopt: Some(7), ..mine() });
    let sent_at = client.now;
    let adopt = client.command();
    assert_eq!((adopt.name(), adopt.value(), adopt.lease()), ("adopt", "mine", 10_000));
    client.advance(ms(7));
    client.reply(adopt.count(1));
    assert!(matches!(client.event(), Event::Granted { lock: granted, fence: 7, .. } if granted == lock));
    assert_eq!(client.engine.remaining(lock, sent_at), ms(9898));
    client.engine.extend(lock, ms(20_000), client.now);
    let renewal = client.command();
    let claimed = format!("mine {}", adopt.claim());
    assert_eq!(renewal.value(), claimed, "it may have been handed on since, and is not taken back");
    client.reply(renewal.count(1));
    client.events();
    client.engine.release(lock, client.now);
    let release = client.command();
    assert_eq!(release.value(), claimed);
}

#[test]
fn re_entry_of_an_adopted_lock_has_the_fence_that_it_was_adopted_with() {
    let mut client = Client::ready();
    client.acquire(Request { adopt: Some(7), ..mine() });
    let extend = client.command();
    client.reply(extend.count(1));
    client.event();
    let inner = client.acquire(mine());
    let question = client.command();
    client.reply(question.count(1));
    assert!(matches!(client.event(), Event::Granted { lock, fence: 7, .. } if lock == inner));
}

#[test]
fn adopting_a_lock_that_the_token_does_not_hold_fails_at_once_and_writes_nothing() {
    let mut client = Client::ready();
    client.acquire(Request { adopt: Some(7), ..mine() });
    let extend = client.command();
    client.reply(extend.count(0));
    assert!(matches!(client.event(), Event::Failed { failure, .. } if failure.code == Code::Lost));
    assert_eq!((client.commands(), client.engine.busy()), (vec![], 0));
}

#[test]
fn adoption_without_a_reply_releases_nothing() {
    let mut client = Client::ready();
    client.acquire(Request { adopt: Some(7), wait: ms(0), ..mine() });
    client.command();
    let (commands, events) = client.advance_to_action();
    assert!(matches!(&events[..], [Event::Failed { failure, .. }] if failure.code == Code::Connection));
    assert_eq!(commands, [], "the lock is still the other process's");
    assert_eq!(client.engine.busy(), 0);
}

/// A lock with a token of the application is acquired and released under a claim that no other lock has.
#[test]
fn each_lock_with_a_token_of_the_application_has_its_own_claim() {
    for fair in [false, true] {
        let mut client = Client::ready();
        let mut claims = Vec::new();
        for _ in 0..2 {
            let lock = client.acquire(Request { fair, ..mine() });
            let acquire = client.command();
            client.reply(acquire.granted(1));
            client.events();
            client.engine.release(lock, client.now);
            let release = client.command();
            client.reply(release.count(1));
            client.events();
            let claim = acquire.claim();
            assert_eq!(release.value(), acquire.value());
            assert!(claim.ends_with(&format!(":{}", lock.0)), "{claim}");
            claims.push(claim);
        }
        assert_ne!(claims[0], claims[1], "a release of the first that runs late does not free the second");
    }
}

#[test]
fn a_drawn_token_is_claimed_only_by_adoption() {
    let mut client = Client::ready();
    let lock = client.acquire(request("a"));
    let acquire = client.command();
    client.reply(acquire.granted(1));
    client.engine.release(lock, client.now);
    let release = client.command();
    assert_eq!((acquire.claim(), release.value()), (String::new(), acquire.value()));
}
