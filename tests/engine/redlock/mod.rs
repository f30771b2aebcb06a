//! Locks of several independent servers: majorities, validity, clean-up.

mod closing;
mod renewal;
mod residue;
mod tokens;

use crate::{
    network::{Mode, Network},
    world::{LOOK, ms, one_attempt, request},
};
use redlatch::{
    Code, Duration, Event, HandleId, InvalidRequest, LockError, NodeId, Observed, Policy, ReleaseOutcome,
    Request, Vote,
};

/// A lease of 2 s: servers have 100 ms to answer.
fn short(wait: u64) -> Request {
    Request { ttl: ms(2000), wait: ms(wait), ..request("k") }
}

/// A world whose clients are connected to all servers.
fn warm(servers: usize, clients: usize) -> Network {
    let mut world = Network::new(servers, clients, &Policy::default());
    for client in 0..clients {
        let lock = world.acquire(client, one_attempt("warm-up"));
        assert!(granted(world.next_event(client, ms(1000))));
        world.release(client, lock);
        world.run_for(ms(100));
        world.events(client);
    }
    world
}

fn granted(event: Option<(Event, Duration)>) -> bool {
    matches!(event, Some((Event::Granted { .. }, _)))
}

fn failure(event: Option<(Event, Duration)>) -> LockError {
    crate::world::failure(event.unwrap().0)
}

fn set(world: &mut Network, modes: &[Mode]) {
    for (server, mode) in world.servers.iter_mut().zip(modes) {
        server.mode = *mode;
    }
}

fn believes(world: &Network, client: usize, lock: HandleId) -> bool {
    world.clients[client].engine.remaining(lock, world.now) > Duration::ZERO
}

#[test]
fn a_majority_is_enough_and_there_is_no_fence() {
    let mut world = warm(5, 1);
    set(&mut world, &[Mode::Down, Mode::Hung]);
    let lock = world.acquire(0, short(0));
    let begun = world.now;
    let (event, took) = world.next_event(0, ms(1000)).unwrap();
    assert!(matches!(event, Event::Granted { fence: 0, lock: granted, .. } if granted == lock), "{event:?}");
    assert_eq!(took, ms(2), "the others are not waited for");
    assert_eq!(world.clients[0].engine.remaining(lock, begun), ms(2000 - 20 - 2));
}

#[test]
fn a_wait_that_is_over_before_the_vote_is_a_timeout_unless_too_many_servers_failed() {
    let by_modes = [
        ([Mode::Up, Mode::Down, Mode::Hung], Code::Timeout, 1),
        ([Mode::Up, Mode::Hung, Mode::Hung], Code::Timeout, 0),
        ([Mode::Up, Mode::Down, Mode::Down], Code::Quorum, 1),
    ];
    for (modes, code, reasons) in by_modes {
        let mut world = warm(3, 1);
        set(&mut world, &modes);
        world.acquire(0, short(50));
        let error = failure(world.next_event(0, ms(1000)));
        assert_eq!((error.code, error.reason.iter().count()), (code, reasons), "{modes:?}: {error:?}");
    }
}

#[test]
fn validity_is_the_quorum_th_largest_from_before_the_command_was_sent() {
    let mut world = warm(3, 1);
    set(&mut world, &[Mode::Up, Mode::Slow(90), Mode::Slow(60)]);
    let begun = world.now;
    let lock = world.acquire(0, short(0));
    let (_, took) = world.next_event(0, ms(1000)).unwrap();
    assert_eq!(took, ms(61));
    assert_eq!(world.clients[0].engine.remaining(lock, begun), ms(2000 - 22), "not from the replies");
}

/// Every combination of modes of `servers` servers.
fn combinations(servers: usize, modes: &[Mode]) -> Vec<Vec<Mode>> {
    (0..servers).fold(vec![vec![]], |found, _| {
        found.iter().flat_map(|head| modes.iter().map(|mode| [head.as_slice(), &[*mode]].concat())).collect()
    })
}

/// One server alone is waited for as long as its connection lives.
const fn answers_in_time(servers: usize, mode: Mode) -> bool {
    matches!(mode, Mode::Up | Mode::Slow(40)) || (servers == 1 && matches!(mode, Mode::Slow(_)))
}

#[test]
fn every_combination_of_failures_is_decided_correctly_in_time_and_leaves_no_residue() {
    let all = [Mode::Up, Mode::Down, Mode::Hung, Mode::Slow(40), Mode::Slow(300), Mode::Refusing];
    let few = [Mode::Up, Mode::Down, Mode::Hung];
    for servers in 1..=7 {
        for modes in combinations(servers, if servers <= 3 { &all } else { &few }) {
            let mut world = warm(servers, 1);
            set(&mut world, &modes);
            let lock = world.acquire(0, short(0));
            let good = modes.iter().filter(|mode| answers_in_time(servers, **mode)).count();
            let answer =
                world.next_event(0, ms(10_000)).unwrap_or_else(|| panic!("never settled: {modes:?}"));
            let expected = good > servers / 2;
            assert_eq!(matches!(answer.0, Event::Granted { .. }), expected, "{modes:?}: {answer:?}");
            // A server that is down costs a connection attempt; with one server alone, up to connectTimeout.
            let longest = if servers == 1 { ms(5600) } else { ms(1200) };
            assert!(answer.1 <= longest, "{modes:?}: {:?}", answer.1);
            if expected {
                assert!(believes(&world, 0, lock), "{modes:?}");
                world.release(0, lock);
                let (event, _) = world.next_event(0, ms(2000)).unwrap();
                assert_eq!(event, Event::Released { lock, outcome: ReleaseOutcome::Released }, "{modes:?}");
            }
            world.run_for(ms(1000));
            for (server, mode) in world.servers.iter().zip(&modes) {
                if matches!(mode, Mode::Up | Mode::Slow(_)) {
                    assert_eq!(server.holder("k", world.now), None, "{modes:?}");
                }
            }
            // When all servers are up again, nothing is left to do, and the lock can be acquired.
            set(&mut world, &vec![Mode::Up; servers]);
            world.run_for(ms(4000));
            assert_eq!(world.clients[0].engine.busy(), 0, "{modes:?}");
            world.events(0);
            world.acquire(0, short(5000));
            assert!(granted(world.next_event(0, ms(5000))), "{modes:?}");
        }
    }
}

#[test]
fn a_failed_attempt_reports_how_each_server_voted() {
    let mut world = warm(5, 2);
    world.servers[0].take("k", "another", ms(1_000_000_000), world.now);
    set(&mut world, &[Mode::Up, Mode::Up, Mode::Down, Mode::Refusing, Mode::Hung]);
    world.acquire(0, short(0));
    let failure = failure(world.next_event(0, ms(2000)));
    assert_eq!(failure.code, Code::Quorum);
    let votes: Vec<_> = failure.votes.iter().map(|(node, vote)| (node.0, vote.clone())).collect();
    assert!(matches!(votes[0], (0, Vote::Held)) && matches!(votes[1], (1, Vote::Granted)), "{votes:?}");
    assert!(votes[2..4].iter().all(|(_, vote)| matches!(vote, Vote::Failed(_))), "{votes:?}");
    // Nobody waits for the fifth: three votes cannot be had any more.
    assert!(matches!(votes[4], (4, Vote::Undecided)), "{votes:?}");
    assert!(
        failure.message.contains("5 votes: 1 granted, 1 held by another, 2 failed, 1 undecided"),
        "{}",
        failure.message
    );
}

/// The first server is healthy: it must not be blamed for what the others decide before its answer is there.
#[test]
fn a_server_whose_vote_was_not_waited_for_is_undecided() {
    for cold in [false, true] {
        let mut world = if cold { Network::new(3, 1, &Policy::default()) } else { warm(3, 1) };
        let others = if cold { Mode::Down } else { Mode::Refusing };
        set(&mut world, &[if cold { Mode::Unreachable } else { Mode::Slow(50) }, others, others]);
        world.acquire(0, short(0));
        let error = failure(world.next_event(0, ms(2000)));
        let votes: Vec<_> = error.votes.iter().map(|(node, vote)| (node.0, vote.clone())).collect();
        assert!(matches!(votes[0], (0, Vote::Undecided)), "{votes:?}");
        assert!(votes[1..].iter().all(|(_, vote)| matches!(vote, Vote::Failed(_))), "{votes:?}");
        let counts = "3 votes: 0 granted, 0 held by another, 2 failed, 1 undecided";
        assert!(error.message.contains(counts), "{}", error.message);
        let reason = error.reason.expect("the error of a server that failed");
        assert_eq!(reason.node, Some(NodeId(1)));
    }
}

/// A server that failed by itself is the cause of a time-out that it had a part in.
#[test]
fn a_servers_own_fault_is_the_cause_of_a_vote_that_the_wait_ended() {
    let cause = |modes: &[Mode]| {
        let mut world = warm(3, 1);
        set(&mut world, modes);
        world.acquire(0, short(30));
        let error = failure(world.next_event(0, ms(2000)));
        assert_eq!(error.code, Code::Timeout, "{error:?}");
        error.reason.map(|reason| (reason.node, reason.code))
    };
    let fault = cause(&[Mode::Slow(60), Mode::Slow(60), Mode::Refusing]);
    assert!(matches!(fault, Some((Some(NodeId(2)), _))), "{fault:?}");
    assert_eq!(cause(&[Mode::Slow(60); 3]), None, "the time alone");
}

#[test]
fn an_even_split_between_two_or_three_clients_resolves() {
    for clients in [2, 3] {
        for servers in [2, 3, 4, 5, 6] {
            let mut world = warm(servers, clients);
            // Each server gets the command of another client first.
            let locks: Vec<_> = (0..clients).map(|client| world.acquire(client, short(20_000))).collect();
            for server in 0..servers {
                let token = format!("split-{}", server % clients);
                let now = world.now;
                world.servers[server].take("k", &token, ms(5), now);
            }
            let mut served = 0;
            let end = world.now.after(ms(20_000));
            while served < clients && world.step(end) {
                let believers: Vec<_> =
                    (0..clients).filter(|&client| believes(&world, client, locks[client])).collect();
                assert!(believers.len() <= 1, "{believers:?}");
                if let [client] = believers[..]
                    && world.events(client).iter().any(|event| matches!(event, Event::Granted { .. }))
                {
                    served += 1;
                    world.release(client, locks[client]);
                }
            }
            assert_eq!(served, clients, "{clients} clients, {servers} servers");
        }
    }
}

#[test]
fn several_keys_on_several_servers_are_all_or_nothing() {
    let mut world = warm(3, 2);
    let keyed = |keys: &[&str]| Request {
        keys: keys.iter().map(|key| key.as_bytes().to_vec()).collect(),
        ..short(0)
    };
    world.acquire(0, keyed(&["a", "b"]));
    assert!(granted(world.next_event(0, ms(100))));
    world.acquire(1, keyed(&["b", "c"]));
    assert_eq!(failure(world.next_event(1, ms(100))).code, Code::Timeout, "held by another, not a failure");
    world.run_for(ms(100));
    assert_eq!(world.holders("c"), [None, None, None]);
}

#[test]
fn observers_are_notified_when_a_minority_is_down() {
    let mut world = warm(3, 1);
    world.clients[0].engine.observe(Observed::Everything);
    set(&mut world, &[Mode::Up, Mode::Down, Mode::Up]);
    world.acquire(0, short(0));
    world.run_for(ms(10));
    world.acquire(0, Request { keys: vec![b"other".to_vec()], ..short(0) });
    world.run_for(ms(10));
    assert!(world.events(0).iter().any(|event| matches!(event, Event::Degraded { missing: 1, .. })));
}

#[test]
fn a_fair_lock_on_several_servers_is_refused() {
    let mut world = Network::new(2, 1, &Policy::default());
    let fair = Request { fair: true, ..short(0) };
    assert_eq!(world.clients[0].engine.acquire(fair, world.now), Err(InvalidRequest::FairOnSeveral));
}

#[test]
fn a_server_that_connects_late_is_still_asked_until_the_release() {
    let mut world = Network::new(3, 1, &Policy::default());
    world.servers[2].mode = Mode::Slow(300);
    let lock = world.acquire(0, short(0));
    assert!(granted(world.next_event(0, ms(100))));
    assert_eq!(world.holders("k").iter().flatten().count(), 2);
    world.run_for(ms(1000));
    assert_eq!(world.holders("k").iter().flatten().count(), 3);
    world.release(0, lock);
    world.run_for(ms(1000));
    assert_eq!(world.holders("k"), [None, None, None]);
}

#[test]
fn a_missing_connection_delays_the_vote_by_one_second() {
    let mut world = Network::new(3, 1, &Policy::default());
    let now = world.now;
    world.servers[1].take("k", "another", ms(5000), now);
    world.servers[2].mode = Mode::Unreachable;
    world.acquire(0, one_attempt("k"));
    world.run_for(ms(1000));
    assert_eq!(world.holders("k").iter().flatten().count(), 2, "one has granted, one has denied");
    assert_eq!(world.events(0), [], "the third decides");
    world.run_for(LOOK);
    let events = world.events(0);
    assert!(
        matches!(&events[..], [Event::Failed { failure, .. }] if failure.code == Code::Quorum && failure.votes.len() == 3),
        "{events:?}"
    );
}

#[test]
fn observers_of_a_reentered_lock_get_events_under_a_handle_that_still_holds_it() {
    let mut world = warm(3, 1);
    world.clients[0].engine.observe(Observed::Everything);
    let mine = || Request { token: Some(b"mine".to_vec()), ..short(0) };
    let outer = world.acquire(0, mine());
    assert!(granted(world.next_event(0, ms(100))));
    let inner = world.acquire(0, mine());
    assert!(granted(world.next_event(0, ms(100))));
    world.release(0, outer);
    world.run_for(ms(10));
    world.events(0);
    set(&mut world, &[Mode::Down]);
    world.extend(0, inner, ms(2000));
    world.run_for(ms(200));
    let events = world.events(0);
    assert!(events.contains(&Event::Degraded { lock: inner, missing: 1 }), "{events:?}");
}
