//! Re-entry: the same token acquires a lock again that it holds.

use crate::world::{Client, LOOK, ms, request};
use redlatch::{Code, Duration, Event, HandleId, Loss, Observed, ReleaseOutcome, Request};

pub fn mine() -> Request {
    Request { token: Some(b"mine".to_vec()), ..request("a") }
}

pub fn held(request: Request) -> (Client, HandleId) {
    let mut client = Client::ready();
    let lock = client.hold(request);
    (client, lock)
}

/// Re-enters, confirmed by the server.
fn enter(client: &mut Client, request: Request) -> HandleId {
    let inner = client.acquire(request);
    let verify = client.command();
    assert_eq!((verify.name(), verify.lease()), ("extend", 0));
    client.reply(verify.count(1));
    assert!(matches!(client.event(), Event::Granted { lock, fence: 1, .. } if lock == inner));
    inner
}

#[test]
fn the_owner_reenters_with_the_same_fence_and_shares_the_lease() {
    let (mut client, outer) = held(mine());
    client.advance(ms(1000));
    let inner = enter(&mut client, mine());
    assert_ne!(inner, outer);
    let left = client.engine.remaining(outer, client.now);
    assert_eq!((left, client.engine.remaining(inner, client.now)), (ms(8898), left));
}

/// The first token of the application is one that its client drew before.
#[test]
fn a_client_reenters_the_lock_of_a_token_that_it_drew() {
    let mut client = Client::ready();
    client.acquire(request("a"));
    let acquire = client.command();
    client.reply(acquire.granted(1));
    client.events();
    enter(&mut client, Request { token: Some(acquire.token().into()), adopt: Some(1), ..request("a") });
}

#[test]
fn reentry_ends_within_its_wait_whatever_the_server_does() {
    let (mut client, outer) = held(Request { ttl: ms(60_000), ..mine() });
    let inner = client.acquire(Request { wait: ms(300), ..mine() });
    let verify = client.command();
    client.advance(ms(299));
    client.engine.handle_timeout(client.now);
    assert_eq!(client.events(), []);
    client.advance(ms(1).plus(LOOK));
    client.engine.handle_timeout(client.now);
    client.run_for(LOOK);
    let event = client.event();
    assert!(
        matches!(&event, Event::Failed { lock, failure } if *lock == inner && failure.code == Code::Timeout),
        "{event:?}"
    );
    client.reply(verify.count(1));
    assert_eq!(client.events(), [], "the answer comes too late");
    assert!(client.engine.remaining(outer, client.now) > Duration::ZERO);
}

#[test]
fn cancelling_a_released_handle_does_not_affect_the_other_handles() {
    let (mut client, outer) = held(mine());
    let inner = enter(&mut client, mine());
    client.engine.release(outer, client.now);
    client.events();
    client.engine.cancel(outer, client.now);
    assert_eq!(client.commands(), []);
    assert!(client.engine.remaining(inner, client.now) > Duration::ZERO);

    client.engine.release(inner, client.now);
    let release = client.command();
    client.engine.cancel(outer, client.now);
    client.reply(release.count(1));
    assert_eq!(client.event(), Event::Released { lock: inner, outcome: ReleaseOutcome::Released });
}

#[test]
fn a_drawn_token_can_reenter_too() {
    let mut client = Client::ready();
    client.hold(request("a"));
    let lock = client.acquire(request("b"));
    let acquire = client.command();
    client.reply(acquire.granted(1));
    client.events();
    let inner = client.acquire(Request { token: Some(acquire.token().into_bytes()), ..request("b") });
    let verify = client.command();
    assert_eq!(verify.name(), "extend");
    client.reply(verify.count(1));
    assert!(matches!(client.event(), Event::Granted { lock, .. } if lock == inner && inner != HandleId(0)));
    assert!(client.engine.remaining(lock, client.now) > Duration::ZERO);
}

#[test]
fn only_the_last_release_frees_the_lock_in_any_order() {
    for outer_first in [false, true] {
        let (mut client, outer) = held(Request { renew: true, ..mine() });
        let inner = enter(&mut client, mine());
        let (first, last) = if outer_first { (outer, inner) } else { (inner, outer) };
        client.engine.release(first, client.now);
        assert_eq!(client.event(), Event::Released { lock: first, outcome: ReleaseOutcome::Released });
        assert_eq!(client.commands(), []);
        assert_eq!(client.engine.remaining(first, client.now), Duration::ZERO);
        let (renewal, _) = client.advance_to_action();
        assert_eq!(renewal[0].name(), "extend", "inner releases keep the renewal running");
        client.reply(renewal[0].count(1));
        client.engine.release(last, client.now);
        let release = client.command();
        client.reply(release.count(1));
        assert_eq!(client.event(), Event::Released { lock: last, outcome: ReleaseOutcome::Released });
        assert_eq!(client.engine.busy(), 0);
    }
}

#[test]
fn reentry_with_renewal_starts_renewal() {
    let (mut client, _) = held(mine());
    client.acquire(Request { renew: true, ..mine() });
    let verify = client.command();
    client.reply(verify.count(1));
    client.event();
    let (renewal, _) = client.advance_to_action();
    assert_eq!(renewal[0].lease(), 10_000);
}

#[test]
fn a_denied_reentry_loses_the_lock_for_all_handles() {
    let (mut client, outer) = held(mine());
    let inner = enter(&mut client, mine());
    let third = client.acquire(mine());
    let verify = client.command();
    client.reply(verify.count(0));
    let events = client.events();
    let loss = Loss::NotOurs;
    assert_eq!(
        events[..2],
        [Event::Lost { lock: outer, loss, reason: None }, Event::Lost { lock: inner, loss, reason: None }]
    );
    assert!(
        matches!(&events[2], Event::Failed { lock, failure } if *lock == third && failure.code == Code::Lost)
    );
    assert_eq!(client.command().name(), "exclusive_release", "token-checked: it touches nobody else's");
}

#[test]
fn another_token_does_not_reenter() {
    let (mut client, _) = held(mine());
    client.acquire(Request { token: Some(b"yours".to_vec()), ..request("a") });
    assert_eq!(client.command().name(), "exclusive_acquire");
}

#[test]
fn other_keys_or_another_kind_do_not_reenter() {
    let (mut client, _) = held(mine());
    for request in
        [Request { keys: vec![b"a".to_vec(), b"b".to_vec()], ..mine() }, Request { fair: true, ..mine() }]
    {
        client.acquire(request);
        assert_eq!(client.commands(), [], "they wait: released, each would free the other");
    }
}

#[test]
fn an_expired_lock_is_acquired_anew_instead_of_reentered() {
    let (mut client, _) = held(mine());
    client.advance(ms(9895));
    client.acquire(mine());
    let release = client.command();
    client.reply(release.count(0));
    assert_eq!(client.command().name(), "exclusive_acquire");
}

#[test]
fn a_cancelled_reentry_does_not_affect_the_lock() {
    let (mut client, outer) = held(mine());
    let inner = client.acquire(mine());
    let verify = client.command();
    client.engine.cancel(inner, client.now);
    client.reply(verify.count(1));
    assert_eq!((client.events(), client.commands()), (vec![], vec![]));
    assert!(client.engine.remaining(outer, client.now) > Duration::ZERO);
    client.engine.release(outer, client.now);
    assert_eq!(client.command().name(), "exclusive_release");
}

#[test]
fn observers_get_renewals_under_a_handle_that_is_still_held() {
    let (mut client, outer) = held(Request { renew: true, ..mine() });
    client.engine.observe(Observed::Everything);
    let inner = enter(&mut client, mine());
    client.engine.release(outer, client.now);
    client.events();
    let (renewal, _) = client.advance_to_action();
    client.reply(renewal[0].count(1));
    assert_eq!(client.events(), [Event::Renewed { lock: inner, rtt: Duration::ZERO }]);
}

#[test]
fn a_reentry_in_flight_keeps_the_lock_when_the_outer_handle_is_released() {
    let (mut client, outer) = held(mine());
    let inner = client.acquire(mine());
    let verify = client.command();
    client.engine.release(outer, client.now);
    assert_eq!(client.event(), Event::Released { lock: outer, outcome: ReleaseOutcome::Released });
    assert_eq!(client.commands(), []);
    client.reply(verify.count(1));
    assert!(matches!(client.event(), Event::Granted { lock, .. } if lock == inner));
    client.engine.release(inner, client.now);
    assert_eq!(client.command().name(), "exclusive_release");
}

#[test]
fn a_failed_reentry_holds_nothing_and_frees_a_lock_without_other_handles() {
    let (mut client, outer) = held(mine());
    let inner = client.acquire(mine());
    client.command();
    client.reply("-LOADING Redis is loading the dataset in memory\r\n");
    assert!(matches!(client.event(), Event::Failed { lock, .. } if lock == inner));
    assert_eq!(client.engine.remaining(inner, client.now), Duration::ZERO);
    let again = client.acquire(mine());
    client.command();
    client.engine.release(outer, client.now);
    client.events();
    client.reply("-LOADING Redis is loading the dataset in memory\r\n");
    assert!(matches!(client.event(), Event::Failed { lock, .. } if lock == again));
    assert_eq!(client.command().name(), "exclusive_release");
}

#[test]
fn reentering_a_lock_that_ends_at_that_moment_fails() {
    let mut client = Client::ready();
    let brief = || Request { max_hold: Duration::ZERO, ..mine() };
    client.acquire(brief());
    let second = client.acquire(brief());
    let acquire = client.command();
    client.reply(acquire.granted(1));
    let failed = |event: &Event| matches!(event, Event::Failed { lock, failure } if *lock == second && failure.code == Code::Lost);
    assert!(client.events().iter().any(failed));
    let release = client.command();
    client.reply(release.count(1));
    assert_eq!(client.engine.busy(), 0);
}
