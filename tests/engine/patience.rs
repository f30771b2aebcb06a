//! Patience: a deadline for what did not come in time is believed only after a look at what has arrived (rule 16).

use crate::{
    network::{Mode, Network},
    world::{Client, HELLO_REPLY, LOOK, NO_CHANNELS, ms, one_attempt, request},
};
use redlatch::{Clock, Code, Duration, Endpoint, Event, HandleId, Policy, Request};

fn granted(event: &Event, lock: HandleId) -> bool {
    matches!(event, Event::Granted { lock: granted, .. } if *granted == lock)
}

/// The event loop stalls for `span`, and then runs its timers before it reads its sockets.
fn stall(client: &mut Client, span: Duration) {
    client.advance(span);
    client.engine.handle_timeout(client.now);
}

#[test]
fn an_answer_that_arrived_during_a_stall_counts() {
    for (wait, ttl) in [(0, 10_000), (0, 1000), (300, 10_000), (5000, 400)] {
        let mut client = Client::ready();
        let lock = client.acquire(Request { wait: ms(wait), ttl: ms(ttl), ..request("a") });
        let (acquire, sent_at) = (client.command(), client.now);
        stall(&mut client, ms(350));
        assert_eq!(client.events(), [], "wait {wait}, ttl {ttl}");
        client.reply(acquire.granted(1));
        assert!(granted(&client.event(), lock), "wait {wait}, ttl {ttl}");
        let valid = ms(ttl).minus(ms(ttl / 100 + 2));
        assert_eq!(client.engine.remaining(lock, sent_at), valid, "counted from the sending");
    }
}

#[test]
fn operations_and_releases_survive_a_stall() {
    let mut client = Client::ready();
    let lock = client.hold(request("a"));
    let op = client.engine.extend(lock, ms(10_000), client.now);
    let extend = client.command();
    stall(&mut client, ms(6000));
    client.reply(extend.count(1));
    assert_eq!(client.event(), Event::Extended { op, lock });
    client.engine.release(lock, client.now);
    let release = client.command();
    stall(&mut client, ms(8000));
    assert_eq!(client.events(), []);
    client.reply(release.count(1));
    assert!(matches!(client.event(), Event::Released { outcome: redlatch::ReleaseOutcome::Released, .. }));
}

#[test]
fn a_lease_that_ends_during_a_stall_is_lost_before_anything_else() {
    let mut client = Client::ready();
    let lock = client.hold(request("a"));
    client.engine.extend(lock, ms(10_000), client.now);
    let extend = client.command();
    client.advance(ms(11_000));
    client.reply(extend.count(1));
    assert!(matches!(client.events()[..], [Event::Lost { .. }, Event::OperationFailed { .. }]));
}

#[test]
fn a_stall_while_connecting_is_not_the_servers_fault() {
    let policy = Policy { connect_timeout: ms(1000), ..Policy::default() };
    let mut client = Client::with(policy, Endpoint::default());
    let lock = client.acquire(one_attempt("a"));
    client.drain_io();
    stall(&mut client, ms(1200));
    client.greet();
    let acquire = client.command();
    client.reply(acquire.granted(1));
    assert!(granted(&client.event(), lock));
}

#[test]
fn an_answer_that_takes_a_round_trip_after_the_stall_counts() {
    // The application blocks in the tick in which it asks: the command is written only after the stall.
    let mut client = Client::ready();
    let lock = client.acquire(Request { ttl: ms(1000), ..one_attempt("a") });
    stall(&mut client, ms(600));
    let acquire = client.command();
    for _ in 0..20 {
        client.advance(ms(5));
        client.engine.handle_timeout(client.now);
    }
    client.reply(acquire.granted(1));
    assert!(granted(&client.event(), lock));
}

#[test]
fn impatience_does_not_count_a_wall_clock_that_is_set_forward() {
    let mut client = Client::ready();
    let mut clock = Clock::default();
    let mut tick = |client: &mut Client, mono: u64, wall: u64| {
        client.now = clock.advance(mono * 1000, wall * 1000);
        client.engine.handle_clock_step(clock.take_step());
    };
    tick(&mut client, 2000, 900_000);
    let lock = client.acquire(Request { wait: ms(1000), ..request("a") });
    let acquire = client.command();
    for passed in (10..=900).step_by(10) {
        tick(&mut client, 2000 + passed, 907_000 + passed);
        client.engine.handle_timeout(client.now);
        assert_eq!(client.events(), [], "{passed} ms of the wait are over");
    }
    client.reply(acquire.granted(1));
    assert!(granted(&client.event(), lock));
    let remaining = client.engine.remaining(lock, client.now);
    assert!(remaining <= ms(10_000 - 102 - 7000), "a lease takes the larger elapsed time: {remaining:?}");
}

#[test]
fn the_end_of_a_wait_is_believed_even_if_the_event_loop_is_never_on_time() {
    let mut client = Client::ready();
    client.acquire(Request { wait: ms(100), ..request("a") });
    let acquire = client.command();
    client.reply(acquire.denied(60_000));
    let begun = client.now;
    while client.events().is_empty() {
        let next = client.engine.poll_timeout().unwrap();
        client.now = client.now.max(next).after(ms(30));
        client.engine.handle_timeout(client.now);
        client.commands();
        assert!(client.now.since(begun) < ms(1500));
    }
}

#[test]
fn a_far_server_grants_at_once() {
    for (round_trip, ttl) in [(120, 2000), (60, 1000), (260, 5000), (120, 400), (300, 1000)] {
        for servers in [1, 3] {
            let mut world = Network::new(servers, 1, &Policy::default());
            for server in &mut world.servers {
                server.mode = Mode::Slow(round_trip - 1);
                server.flush_scripts();
            }
            let begun = world.now;
            let lock = world.acquire(0, Request { ttl: ms(ttl), wait: ms(10_000), ..request("k") });
            let (event, took) = world.next_event(0, ms(10_000)).unwrap();
            let what = format!("{servers} servers, {round_trip} ms, ttl {ttl}: {event:?} after {took:?}");
            assert!(granted(&event, lock), "{what}");
            // Three round trips and some: HELLO, SUBSCRIBE, the command, and its repetition with EVAL.
            assert!(world.now.since(begun) <= ms(4 * round_trip + 10), "{what}");
            let remaining = world.clients[0].engine.remaining(lock, world.now);
            assert!(remaining >= ms(ttl - ttl / 100 - 2 - 2 * round_trip - 10), "{what}: {remaining:?}");
        }
    }
}

#[test]
fn a_renewed_lock_on_a_far_server_is_kept() {
    for servers in [1, 3] {
        let mut world = Network::new(servers, 1, &Policy::default());
        for server in &mut world.servers {
            server.mode = Mode::Slow(150);
        }
        let lock = world.acquire(0, Request { ttl: ms(1000), renew: true, ..request("k") });
        assert!(granted(&world.next_event(0, ms(3000)).unwrap().0, lock));
        world.run_for(ms(20_000));
        assert_eq!(world.events(0), []);
        assert!(world.clients[0].engine.remaining(lock, world.now) > ms(300));
    }
}

#[test]
fn no_command_is_repeated_on_a_connection_that_lives() {
    let mut world = Network::new(1, 1, &Policy::default());
    world.servers[0].mode = Mode::Slow(1500);
    let lock = world.acquire(0, Request { ttl: ms(20_000), wait: ms(60_000), ..request("k") });
    assert!(granted(&world.next_event(0, ms(60_000)).unwrap().0, lock));
    let acquires = world.written.iter().filter(|command| command.is_call()).count();
    assert_eq!(acquires, 1);
}

#[test]
fn forty_thousand_acquires_in_one_tick_are_granted_in_calls_of_32() {
    const LOCKS: usize = 40_000;
    let mut world = Network::new(1, 1, &Policy::default());
    world.servers[0].flush_scripts();
    let now = world.now;
    let request = |number| Request { ttl: ms(30_000), wait: ms(30_000), ..request(format!("k{number}")) };
    for number in 1..LOCKS {
        world.clients[0].engine.acquire(request(number), now).unwrap();
    }
    world.acquire(0, request(0));
    world.run_for(ms(100));
    let events = world.events(0);
    assert_eq!(events.iter().filter(|event| matches!(event, Event::Granted { .. })).count(), LOCKS);
    let sent = world.written.iter().filter(|command| command.is_call()).count();
    assert!(sent <= LOCKS.div_ceil(32) + 1, "{sent}");
}

#[test]
fn silence_on_several_servers_still_decides_a_vote_after_node_timeout() {
    let mut world = Network::new(3, 1, &Policy::default());
    world.acquire(0, one_attempt("warm-up"));
    world.run_for(ms(1000));
    world.events(0);
    for server in &mut world.servers[..2] {
        server.mode = Mode::Hung;
    }
    world.acquire(0, Request { ttl: ms(2000), ..one_attempt("k") });
    let (event, took) = world.next_event(0, ms(5000)).unwrap();
    assert!(matches!(event, Event::Failed { failure, .. } if failure.code == Code::Quorum));
    assert!(took <= ms(100).plus(LOOK), "5 % of the lease: {took:?}");
}

#[test]
fn a_stall_does_not_make_a_far_redlock_impatient_for_good() {
    let mut world = Network::new(3, 1, &Policy::default());
    for server in &mut world.servers {
        server.mode = Mode::Slow(119);
    }
    let request = || Request { ttl: ms(1000), wait: ms(3000), ..request("k") };
    let lock = world.acquire(0, request());
    assert!(granted(&world.next_event(0, ms(5000)).unwrap().0, lock));
    world.release(0, lock);
    world.next_event(0, ms(5000));
    // The event loop stalls while the answers are on their way, and a timer is due.
    let stalled = world.acquire(0, request());
    world.now = world.now.after(ms(400));
    world.clients[0].engine.handle_timeout(world.now);
    assert!(granted(&world.next_event(0, ms(5000)).unwrap().0, stalled));
    world.release(0, stalled);
    world.next_event(0, ms(5000));
    let next = world.acquire(0, Request { wait: Duration::ZERO, ..request() });
    assert!(granted(&world.next_event(0, ms(5000)).unwrap().0, next));
}

#[test]
fn a_redlock_follows_servers_that_become_far() {
    let mut world = Network::new(3, 1, &Policy::default());
    world.acquire(0, one_attempt("warm-up"));
    world.run_for(ms(1000));
    world.events(0);
    for server in &mut world.servers {
        server.mode = Mode::Slow(120);
    }
    let lock = world.acquire(0, Request { ttl: ms(1000), wait: ms(15_000), ..request("k") });
    let (event, _) = world.next_event(0, ms(15_000)).unwrap();
    assert!(granted(&event, lock), "{event:?}");
}

#[test]
fn the_end_of_a_wait_is_not_put_off_by_every_stall() {
    for (stall, wait) in [(100, 1000), (300, 1000), (300, 3000)] {
        let mut client = Client::ready();
        for key in 0..20 {
            let (_, acquire) = client.wait_for(Request { wait: ms(wait), ..request(format!("k{key}")) });
            assert_eq!(acquire.name(), "exclusive_acquire");
        }
        let begun = client.now;
        while client.events().is_empty() {
            client.advance(ms(stall));
            client.engine.handle_timeout(client.now);
            for command in client.commands() {
                client.reply(command.denied(60_000));
            }
            assert!(
                client.now.since(begun) <= ms(wait + 500 + 4 * stall),
                "stalls of {stall} ms, wait {wait} ms"
            );
        }
        assert!(client.now.since(begun) >= ms(wait));
    }
}

#[test]
fn an_answer_that_is_in_the_socket_when_the_timer_fires_counts() {
    let mut client = Client::ready();
    let lock = client.acquire(Request { wait: ms(300), ..request("a") });
    let acquire = client.command();
    client.advance(ms(300));
    client.engine.handle_timeout(client.now);
    assert_eq!(client.events(), [], "the timer is on time, and runs before the socket is read");
    client.reply(acquire.granted(1));
    assert!(granted(&client.event(), lock));
}

#[test]
fn a_stall_that_ends_just_before_the_connect_timeout_does_not_end_the_handshake() {
    let policy = Policy { connect_timeout: ms(300), ..Policy::default() };
    let mut client = Client::with(policy, Endpoint::default());
    let lock = client.acquire(Request { wait: Duration::ZERO, ..request("k") });
    client.connect();
    assert_eq!(client.command().name(), "HELLO");
    client.advance(ms(299));
    client.reply(HELLO_REPLY);
    assert_eq!(client.command().name(), "SUBSCRIBE");
    client.run_for(ms(50));
    client.reply(NO_CHANNELS);
    let acquire = client.command();
    client.reply(acquire.granted(1));
    assert!(granted(&client.event(), lock));
}
