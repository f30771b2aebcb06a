//! The façade as JavaScript sees it, run by `make test-wasm` inside of a JavaScript runtime.
#![cfg(target_arch = "wasm32")]
#![allow(
    clippy::as_conversions,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::panic,
    reason = "a test may panic"
)]

#[path = "world/mod.rs"]
mod world;

use redlatch::{
    Core,
    wire::{
        HEAD_LENGTH, RECORD_LENGTH,
        kind::{CLOSE, CONNECT, EXTENDED, FAILED, GRANTED, LOST, RELEASED, TRANSMIT},
    },
};
use wasm_bindgen::JsCast;
use wasm_bindgen_test::wasm_bindgen_test;
use world::{Command, NO_CHANNELS, read_commands};

const WALL: f64 = 1_700_000_000_000.0;

/// A core with one server, and its clocks.
struct Client {
    core: Core,
    now: f64,
}

impl Client {
    fn new() -> Self {
        let mut core = Core::new(0.01, 50.0, 250.0, 0.0, 5000.0, b"", "", 0, false);
        assert_eq!(core.add_node(String::new(), "s3cret".into(), 0, false, false), 0);
        Self { core, now: 1000.0 }
    }

    fn acquire(&mut self, key: &[u8], wait: f64) -> u32 {
        self.signed(key, wait).abs() as u32
    }

    /// The lock's number, negative if something is to be sent early.
    fn signed(&mut self, key: &[u8], wait: f64) -> f64 {
        let length = put(&mut self.core, &framed(&[key]));
        self.core.acquire(length, 1, 10_000.0, wait, 0, f64::INFINITY, 0, self.now, WALL + self.now)
    }

    /// The delay and the records.
    fn poll(&mut self) -> (f64, Vec<Vec<f64>>) {
        let numbers = polled(&mut self.core, self.now, WALL + self.now);
        assert_eq!((numbers.len() - HEAD_LENGTH) % RECORD_LENGTH, 0);
        (numbers[1], numbers[HEAD_LENGTH..].chunks(RECORD_LENGTH).map(<[f64]>::to_vec).collect())
    }

    fn record(&mut self, kind: f64) -> Vec<f64> {
        let (_, records) = self.poll();
        records
            .iter()
            .find(|record| record[0] == kind)
            .unwrap_or_else(|| panic!("no {kind} in {records:?}"))
            .clone()
    }

    fn receive(&mut self, connection: u32, bytes: &str) {
        let length = put(&mut self.core, bytes.as_bytes());
        self.core.received(connection, length, self.now, WALL + self.now);
    }

    /// The one command that was written.
    fn command(&mut self, connection: u32) -> Command {
        let record = self.record(TRANSMIT);
        sent(&record, connection)
    }

    /// Connects, and answers the handshake.
    fn connect(&mut self) -> u32 {
        let connect = self.record(CONNECT);
        assert_eq!(connect[2], 0.0);
        let connection = connect[1] as u32;
        self.core.connected(connection, self.now, WALL + self.now);
        assert_eq!(self.command(connection).name(), "HELLO");
        self.receive(connection, "%0\r\n");
        assert_eq!(self.command(connection).name(), "SUBSCRIBE");
        self.receive(connection, NO_CHANNELS);
        connection
    }
}

/// The one command of a TRANSMIT record.
fn sent(record: &[f64], connection: u32) -> Command {
    let [kind, to, address, length, ..] = record[..] else { panic!() };
    assert_eq!((kind, to), (TRANSMIT, f64::from(connection)));
    let mut commands = read_commands(&read(address as usize as *const u8, length as usize));
    assert_eq!(commands.len(), 1, "{commands:?}");
    commands.remove(0)
}

/// Writes bytes into the room, as JavaScript does; returns how many.
#[allow(unsafe_code, reason = "JavaScript writes into the same memory")]
fn put(core: &mut Core, bytes: &[u8]) -> usize {
    let room = core.room(bytes.len());
    // SAFETY: the room has at least as many bytes, and nothing else uses it now.
    unsafe { core::ptr::copy_nonoverlapping(bytes.as_ptr(), room, bytes.len()) };
    bytes.len()
}

/// Reads what JavaScript would read at an address.
#[allow(unsafe_code, reason = "JavaScript reads the same memory")]
fn read<T: Clone>(address: *const T, length: usize) -> Vec<T> {
    // SAFETY: the core says that so many are there, until its next call.
    unsafe { core::slice::from_raw_parts(address, length) }.to_vec()
}

/// All numbers of a poll.
fn polled(core: &mut Core, mono: f64, wall: f64) -> Vec<f64> {
    let address = core.poll(mono, wall);
    let count = read(address, 1)[0];
    read(address, count as usize)
}

/// Names, each after its length.
fn framed(names: &[&[u8]]) -> Vec<u8> {
    names.iter().flat_map(|name| [&(name.len() as u32).to_le_bytes(), *name].concat()).collect()
}

/// The name of the exception that `acquire` has left.
fn refused(core: &mut Core) -> String {
    core.refused().unchecked_into::<js_sys::Error>().name().into()
}

#[wasm_bindgen_test]
fn a_lock_is_granted_extended_and_released() {
    let mut client = Client::new();
    let lock = client.acquire(b"a", 0.0);
    let connection = client.connect();
    let acquire = client.command(connection);
    client.receive(connection, &acquire.granted(9_007_199_254_740_991));
    let (delay, records) = client.poll();
    assert_eq!(delay, 2000.0, "the silence of the connection is looked at first");
    let [kind, id, high, low, token @ ..] = &records[0][..] else { panic!() };
    assert_eq!((*kind, *id), (GRANTED, f64::from(lock)));
    assert_eq!(
        (*high as u64) << 32 | *low as u64,
        9_007_199_254_740_991,
        "the largest that the scripts give"
    );
    let token: String = token[..5].iter().map(|&word| format!("{:08x}", word as u32)).collect();
    assert_eq!(acquire.token(), token);
    assert_eq!(client.core.remaining(lock, 1000.0, WALL + 1000.0), 9898.0);
    assert_eq!(client.core.remaining(lock, 1000.0, WALL + 4000.0), 6898.0, "a suspend counts");

    let op = client.core.extend(lock, 20_000.0, client.now, WALL + client.now);
    let extend = client.command(connection);
    client.receive(connection, &extend.count(1));
    assert_eq!(client.record(EXTENDED)[1], f64::from(op));

    client.core.release(lock, client.now, WALL + client.now);
    let release = client.command(connection);
    client.receive(connection, &release.count(1));
    assert_eq!(client.record(RELEASED)[1..3], [f64::from(lock), 0.0]);
    assert_eq!(client.core.busy(), 0);
}

#[wasm_bindgen_test]
fn failures_carry_their_messages_in_order() {
    let mut client = Client::new();
    let first = client.acquire(b"a", 0.0);
    client.acquire(b"b", 0.0);
    let connect = client.record(CONNECT);
    let connection = connect[1] as u32;
    client.core.connected(connection, client.now, WALL + client.now);
    client.command(connection);
    client.receive(connection, "-WRONGPASS invalid s3cret pair\r\n");
    let (_, records) = client.poll();
    assert_eq!(records[0], [FAILED, f64::from(first), 5.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0]);
    assert_eq!(records[2][..2], [CLOSE, f64::from(connection)]);
    for _ in 0..2 {
        assert_eq!(client.core.detail(), "WRONGPASS");
        assert_eq!(client.core.detail(), "WRONGPASS invalid *** pair");
    }
    assert_eq!(client.core.detail(), "");
}

#[wasm_bindgen_test]
fn a_loss_by_the_wall_clock_alone_is_reported() {
    let mut client = Client::new();
    let lock = client.acquire(b"a", 0.0);
    let connection = client.connect();
    let acquire = client.command(connection);
    client.receive(connection, &acquire.granted(1));
    assert_eq!(client.record(GRANTED)[1], f64::from(lock));
    // The machine was suspended: the monotonic clock stood still.
    let numbers = polled(&mut client.core, client.now, WALL + client.now + 60_000.0);
    assert_eq!(numbers[HEAD_LENGTH..][..3], [LOST, f64::from(lock), 1.0]);
    assert_eq!(
        client.core.detail(),
        "the validity of the lock has ended: its lease was not extended in time"
    );
}

#[wasm_bindgen_test]
fn invalid_requests_are_refused_with_the_javascript_error_types() {
    let mut core = Core::new(0.01, 50.0, 250.0, 0.0, 5000.0, b"", "", 0, false);
    let acquire = |core: &mut Core, key: &[u8], ttl| {
        let length = put(core, &framed(&[key]));
        core.acquire(length, 1, ttl, 0.0, 0, f64::INFINITY, 0, 0.0, 0.0)
    };
    assert_eq!(acquire(&mut core, b"a", 1000.0), 0.0);
    assert_eq!(refused(&mut core), "TypeError");
    core.add_node(String::new(), String::new(), 0, false, false);
    for (key, ttl, name) in
        [(&b""[..], 1000.0, "TypeError"), (b"a", 99.0, "RangeError"), (b"a", f64::NAN, "RangeError")]
    {
        assert_eq!(acquire(&mut core, key, ttl), 0.0);
        assert_eq!(refused(&mut core), name);
    }
    assert_ne!(acquire(&mut core, b"a", 100.0), 0.0);
    assert!(core.refused().is_undefined(), "each refusal is told once");
}

#[wasm_bindgen_test]
fn a_whole_run_is_to_be_sent_before_the_next_poll() {
    let mut client = Client::new();
    client.acquire(b"first", 0.0);
    let connection = client.connect();
    let first = client.command(connection);
    client.receive(connection, &first.denied(1));
    client.poll();
    for at in 1..=32 {
        let lock = client.signed(format!("key {at}").as_bytes(), 0.0);
        assert_eq!(lock < 0.0, at == 32, "{lock}");
    }
    let address = client.core.early();
    let numbers = read(address, HEAD_LENGTH + RECORD_LENGTH);
    assert_eq!(numbers[0], numbers.len() as f64);
    assert_eq!(sent(&numbers[HEAD_LENGTH..], connection).call().locks(), 32);
    assert!(client.core.early().is_null());
}

#[wasm_bindgen_test]
fn several_keys_and_the_token_are_separated_by_their_lengths() {
    let mut client = Client::new();
    let now = client.now;
    let length = put(&mut client.core, &framed(&[b"bb", b"a", b"mine"]));
    let lock = client.core.acquire(length, 2, 1000.0, 0.0, 0, f64::INFINITY, 0, now, WALL + now);
    assert_ne!(lock, 0.0);
    let connection = client.connect();
    let acquire = client.command(connection);
    assert_eq!(
        (acquire.keys().len(), &acquire.keys()[..2]),
        (3, ["a".to_owned(), "bb".to_owned()].as_slice())
    );
    assert_eq!(acquire.token(), "mine");
}

#[wasm_bindgen_test]
fn no_argument_from_javascript_traps() {
    let mut client = Client::new();
    for number in [f64::NAN, f64::NEG_INFINITY, -1.0, 0.0, 1e300, f64::INFINITY] {
        put(&mut client.core, &framed(&[b"ab"]));
        put(&mut client.core, &u32::MAX.to_le_bytes());
        for (length, keys) in [(0, 1), (3, 1), (6, 0), (6, 2), (usize::MAX, usize::MAX)] {
            client.core.acquire(length, keys, number, number, 7, number, u64::MAX, number, number);
            client.core.received(7, length, number, number);
        }
        let lock = client.acquire(b"a", number);
        client.core.extend(lock, number, number, number);
        client.core.verify(u32::MAX, number, number);
        client.core.release(lock, number, number);
        client.core.cancel(lock, number, number);
        client.core.connected(7, number, number);
        client.receive(7, "+OK\r\n");
        client.core.closed(7, "", number, number);
        client.core.timeout(number, number);
        let _ = (polled(&mut client.core, number, number), client.core.detail(), client.core.refused());
        assert!(client.core.remaining(lock, number, number) >= 0.0);
    }
}
