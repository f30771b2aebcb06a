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
        RECORD_LENGTH,
        kind::{CLOSE, CONNECT, EXTENDED, FAILED, GRANTED, LOST, RELEASED, TRANSMIT},
    },
};
use wasm_bindgen::{JsCast, JsValue};
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
        let mut core = Core::new(0.01, 50.0, 250.0, 0.0, 5000.0, "");
        assert_eq!(core.add_node(String::new(), "s3cret".into(), 0, false), 0);
        Self { core, now: 1000.0 }
    }

    fn acquire(&mut self, key: &[u8], wait: f64) -> u32 {
        self.core
            .acquire(key, &[], &[], 10_000.0, wait, 0, f64::INFINITY, 0, self.now, WALL + self.now)
            .unwrap()
    }

    /// The delay and the records.
    fn poll(&mut self) -> (f64, Vec<Vec<f64>>) {
        let numbers = self.core.poll(self.now, WALL + self.now);
        assert_eq!((numbers.len() - 1) % RECORD_LENGTH, 0);
        (numbers[0], numbers[1..].chunks(RECORD_LENGTH).map(<[f64]>::to_vec).collect())
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
        self.core.received(connection, bytes.as_bytes(), self.now, WALL + self.now);
    }

    /// The one command that was written.
    fn command(&mut self, connection: u32) -> Command {
        assert_eq!(self.record(TRANSMIT)[1], f64::from(connection));
        let mut commands = read_commands(&self.core.transmit(connection));
        assert_eq!(commands.len(), 1, "{commands:?}");
        commands.remove(0)
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

fn exception(result: Result<u32, JsValue>) -> js_sys::Error {
    result.unwrap_err().unchecked_into()
}

#[wasm_bindgen_test]
fn a_lock_is_granted_extended_and_released() {
    let mut client = Client::new();
    let lock = client.acquire(b"a", 0.0);
    let connection = client.connect();
    let acquire = client.command(connection);
    client.receive(connection, &acquire.granted(9_007_199_254_740_993));
    let (delay, records) = client.poll();
    assert_eq!(delay, 2000.0, "the silence of the connection is looked at first");
    let [kind, id, high, low, token @ ..] = &records[0][..] else { panic!() };
    assert_eq!((*kind, *id), (GRANTED, f64::from(lock)));
    assert_eq!(
        (*high as u64) << 32 | *low as u64,
        9_007_199_254_740_993,
        "beyond what a float holds exactly"
    );
    let token: String = token[..5].iter().map(|&word| format!("{:08x}", word as u32)).collect();
    assert_eq!(*acquire.call().token(), token);
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
    let numbers = client.core.poll(client.now, WALL + client.now + 60_000.0);
    assert_eq!(numbers[1..4], [LOST, f64::from(lock), 1.0]);
    assert_eq!(
        client.core.detail(),
        "the validity of the lock has ended: its lease was not extended in time"
    );
}

#[wasm_bindgen_test]
fn invalid_requests_throw_the_javascript_error_types() {
    let mut core = Core::new(0.01, 50.0, 250.0, 0.0, 5000.0, "");
    let mut acquire = |key: &[u8], ttl| core.acquire(key, &[], &[], ttl, 0.0, 0, f64::INFINITY, 0, 0.0, 0.0);
    assert_eq!(exception(acquire(b"a", 1000.0)).name(), "TypeError");
    core.add_node(String::new(), String::new(), 0, false);
    let mut acquire = |key: &[u8], ttl| core.acquire(key, &[], &[], ttl, 0.0, 0, f64::INFINITY, 0, 0.0, 0.0);
    assert_eq!(exception(acquire(b"", 1000.0)).name(), "TypeError");
    assert_eq!(exception(acquire(b"a", 99.0)).name(), "RangeError");
    assert_eq!(exception(acquire(b"a", f64::NAN)).name(), "RangeError");
    assert!(acquire(b"a", 100.0).is_ok());
}

#[wasm_bindgen_test]
fn several_keys_are_separated_by_their_lengths() {
    let mut client = Client::new();
    let now = client.now;
    client.core.acquire(b"bba", &[2, 1], b"mine", 1000.0, 0.0, 0, f64::INFINITY, 0, now, WALL + now).unwrap();
    let connection = client.connect();
    let acquire = client.command(connection);
    assert_eq!(
        (acquire.keys().len(), &acquire.keys()[..2]),
        (6, ["a".to_owned(), "bb".to_owned()].as_slice())
    );
    assert_eq!(acquire.call().token(), "mine");
}

#[wasm_bindgen_test]
fn no_argument_from_javascript_traps() {
    let mut client = Client::new();
    for number in [f64::NAN, f64::NEG_INFINITY, -1.0, 0.0, 1e300, f64::INFINITY] {
        let _ = client.core.acquire(
            b"ab",
            &[9, u32::MAX],
            b"",
            number,
            number,
            7,
            number,
            u64::MAX,
            number,
            number,
        );
        let lock = client.acquire(b"a", number);
        client.core.extend(lock, number, number, number);
        client.core.verify(u32::MAX, number, number);
        client.core.release(lock, number, number);
        client.core.cancel(lock, number, number);
        client.core.connected(7, number, number);
        client.core.received(7, b"+OK\r\n", number, number);
        client.core.closed(7, "", number, number);
        client.core.timeout(number, number);
        let _ = (client.core.poll(number, number), client.core.transmit(7), client.core.detail());
        assert!(client.core.remaining(lock, number, number) >= 0.0);
    }
}
