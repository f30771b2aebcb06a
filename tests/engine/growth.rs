//! What the core allocates for an operation, beside many others: as much as beside few.
//!
//! JavaScript counts what else an operation costs (`tests/js/unit/growth.test.js`), but not this.
#![allow(unsafe_code, reason = "a global allocator is made of unsafe functions")]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
};

use crate::world::{Client, Output, ms, next_io, read_commands, request};
use redlatch::{Event, HandleId, Request};

/// The system's allocator, which counts for each thread: tests run in threads of one process.
struct Counting;

thread_local! {
    static ALLOCATED: Cell<Allocated> = const { Cell::new(Allocated { calls: 0, bytes: 0 }) };
}

/// What was allocated, or moved to a larger place.
#[derive(Clone, Copy, Debug, Default)]
struct Allocated {
    calls: usize,
    bytes: usize,
}

impl Allocated {
    fn add(self, other: Self) -> Self {
        Self { calls: self.calls + other.calls, bytes: self.bytes + other.bytes }
    }

    /// A share of it.
    fn each(self, count: usize) -> (f64, f64) {
        (self.calls as f64 / count as f64, self.bytes as f64 / count as f64)
    }
}

fn note(bytes: usize) {
    ALLOCATED.with(|all| all.set(all.get().add(Allocated { calls: 1, bytes })));
}

// SAFETY: each function passes its arguments on to the system's allocator, whose contract is the same. To count allocates
// nothing: the counters are constants at first, and have no destructor.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note(layout.size());
        // SAFETY: as above.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        note(size.saturating_sub(layout.size()));
        // SAFETY: as above.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// A client, and what its engine has allocated. What the test allocates for itself is not counted.
struct Counted {
    client: Client,
    allocated: Allocated,
}

impl Counted {
    fn new() -> Self {
        Self { client: Client::ready(), allocated: Allocated::default() }
    }

    fn count<T>(&mut self, act: impl FnOnce(&mut Client) -> T) -> T {
        let before = ALLOCATED.get();
        let result = act(&mut self.client);
        let after = ALLOCATED.get();
        let more = Allocated { calls: after.calls - before.calls, bytes: after.bytes - before.bytes };
        self.allocated = self.allocated.add(more);
        result
    }

    /// What was allocated since the last call.
    fn take(&mut self) -> Allocated {
        std::mem::take(&mut self.allocated)
    }

    fn acquire(&mut self, request: Request) -> HandleId {
        self.count(|client| client.engine.acquire(request, client.now).unwrap())
    }

    /// Sends what there is to send, and answers each command: with a grant or another yes, or a denial. Returns how many
    /// locks were answered.
    fn serve(&mut self, grants: bool) -> usize {
        let mut replies = String::new();
        let mut locks = 0;
        while let Some(output) = self.count(|client| next_io(&mut client.engine)) {
            let Output::Transmit(_, bytes) = output else { continue };
            for command in read_commands(&bytes) {
                locks += command.call().locks();
                replies += &match (command.call().acquires(), grants) {
                    (true, true) => command.granted(1),
                    (true, false) => command.denied(60_000),
                    (false, _) => command.count(1_000),
                };
            }
        }
        let connection = self.client.connection.unwrap();
        self.count(|client| client.engine.handle_bytes(connection, replies.as_bytes(), client.now));
        locks
    }

    fn events(&mut self) -> usize {
        let mut events = 0;
        while let Some(event) = self.count(|client| client.engine.poll_event(client.now)) {
            assert!(!matches!(event, Event::Lost { .. } | Event::OperationFailed { .. }), "{event:?}");
            events += 1;
        }
        events
    }

    /// Acquires that many locks at once.
    fn hold(&mut self, count: usize, of: impl Fn(usize) -> Request) -> Vec<HandleId> {
        let mut locks = Vec::new();
        for number in 0..count {
            let request = of(number);
            locks.push(self.acquire(request));
        }
        self.serve(true);
        assert_eq!(self.events(), count);
        locks
    }

    fn release(&mut self, locks: &[HandleId]) {
        for &lock in locks {
            self.count(|client| client.engine.release(lock, client.now));
        }
        self.serve(true);
        assert_eq!(self.events(), locks.len());
    }

    /// Pairs of an acquire and its release, some at once.
    fn pairs(&mut self, times: usize, at_once: usize, of: impl Fn(usize) -> Request) -> (f64, f64) {
        self.take();
        for _ in 0..times {
            let locks = self.hold(at_once, &of);
            self.release(&locks);
        }
        self.take().each(times * at_once)
    }
}

fn renewed(number: usize) -> Request {
    Request { renew: true, wait: ms(60_000), ..request(format!("held:{number}")) }
}

fn waiting(_: usize) -> Request {
    Request { wait: ms(60_000), ..request("waited") }
}

/// Costs of one operation by the number of others: calls and bytes. Of few, each pays more for the lists that all share; of
/// many, for those that grow by doubling.
fn assert_flat(what: &str, costs: &[(usize, (f64, f64))], most: (f64, f64)) {
    for &(others, (calls, bytes)) in costs {
        assert!(calls <= most.0 && bytes <= most.1, "{what}, beside {others}: {costs:?}");
    }
}

/// One long key beside many short ones costs its own length, not that of as many long ones.
#[test]
fn memory_of_a_lock_follows_the_sum_of_its_keys() {
    let mut counted = Counted::new();
    let keys: Vec<_> = (0..999).map(|number| format!("{number:03}")).chain(["x".repeat(65_536)]).collect();
    let length: usize = keys.iter().map(String::len).sum();
    for fair in [false, true] {
        counted.take();
        let keys = keys.iter().map(|key| key.clone().into_bytes()).collect();
        counted.acquire(Request { keys, fair, ..request("") });
        let Allocated { bytes, .. } = counted.take();
        assert!(bytes < 20 * length, "{bytes} bytes for keys of {length}");
    }
}

const OTHERS: [usize; 3] = [10, 1_000, 10_000];

#[test]
fn a_pair_allocates_no_more_beside_many_locks_and_less_in_a_run() {
    let (mut alone, mut shared, mut own) = (Vec::new(), Vec::new(), Vec::new());
    for others in OTHERS {
        let mut client = Counted::new();
        client.hold(others, renewed);
        let pair = |number: usize| request(format!("pair:{number}"));
        client.pairs(2, 64, pair);
        alone.push((others, client.pairs(32, 1, pair)));
        shared.push((others, client.pairs(4, 64, pair)));
        let mine = |number: usize| Request { token: Some(b"mine".to_vec()), ..pair(number) };
        client.pairs(2, 1, mine);
        own.push((others, client.pairs(32, 1, mine)));
    }
    assert_flat("a pair", &alone, (37.5, 2_300.0));
    assert_flat("one of 64 pairs", &shared, (20.5, 1_950.0));
    assert_flat("a pair under an own token", &own, (39.5, 2_300.0));
}

#[test]
fn a_renewal_and_a_release_allocate_no_more_beside_many_locks() {
    let (mut acquires, mut renewals, mut releases) = (Vec::new(), Vec::new(), Vec::new());
    for others in OTHERS {
        let mut client = Counted::new();
        let locks = client.hold(others, renewed);
        acquires.push((others, client.take().each(others)));
        let mut renewed = 0;
        while renewed == 0 {
            client.count(Client::advance_to_timeout);
            renewed = client.serve(true);
        }
        assert_eq!((renewed, client.events()), (others, 0));
        renewals.push((others, client.take().each(others)));
        client.release(&locks);
        releases.push((others, client.take().each(others)));
    }
    assert_flat("an acquire", &acquires, (18.5, 1_750.0));
    assert_flat("a renewal", &renewals, (6.0, 560.0));
    assert_flat("a release", &releases, (7.0, 550.0));
}

#[test]
fn a_waiter_that_joins_or_leaves_allocates_no_more_beside_many_waiters() {
    let (mut joins, mut leaves) = (Vec::new(), Vec::new());
    for others in OTHERS {
        let mut client = Counted::new();
        let locks: Vec<_> = (0..others).map(|number| client.acquire(waiting(number))).collect();
        client.serve(false);
        client.events();
        joins.push((others, client.take().each(others)));
        for &lock in &locks {
            client.count(|client| client.engine.cancel(lock, client.now));
        }
        client.serve(false);
        client.events();
        leaves.push((others, client.take().each(others)));
    }
    assert_flat("a waiter that joins", &joins, (16.5, 1_600.0));
    assert_flat("a waiter that leaves", &leaves, (14.0, 2_560.0));
}
