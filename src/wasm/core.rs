//! The façade of the core: numbers and bytes, no callback, no object on the hot path.
//!
//! Times are pairs of a monotonic and a wall clock in ms, read together. [`Core::poll`] drains everything into one
//! array of numbers: [`wire::HEAD_LENGTH`](super::wire::HEAD_LENGTH) numbers about all, then records of
//! [`wire::RECORD_LENGTH`](super::wire::RECORD_LENGTH) numbers, by kind.
//!
//! What is asked for and sent often goes through this memory: JavaScript writes into the room, and reads numbers and bytes
//! where they are. Addresses hold until the call that is named with them; the views on them only until the memory grows.

use js_sys::{RangeError, TypeError};
use wasm_bindgen::prelude::*;

use super::{
    convert::{micros, millis, number, span},
    entropy::Runtime,
    record::Records,
    wire::{flag, obstacle},
};
use crate::{
    Clock, ConnectionId, Endpoint, Engine, HandleId, Instant, InvalidRequest, NodeId, Observed, Obstacle,
    Policy, Request, Transport,
};

/// All locks of one client.
#[wasm_bindgen]
pub struct Core {
    engine: Engine<Runtime>,
    clock: Clock,
    records: Records,
    /// The room.
    input: Vec<u8>,
    /// Why the last acquire was refused.
    refusal: Option<InvalidRequest>,
}

#[wasm_bindgen]
impl Core {
    /// `prefix` is that of keys and channels, `label` that of drawn tokens; empty for none. `replicas` must confirm what is
    /// granted. `sharded`: see [`Policy::sharded`]. `drift` is a fraction. The others are in ms; `node_timeout` is 0 for the default, which depends on the lease
    /// and the number of servers.
    #[allow(clippy::too_many_arguments, reason = "flat numbers are what crosses the boundary fast")]
    #[wasm_bindgen(constructor)]
    pub fn new(
        drift: f64,
        retry_min: f64,
        retry_max: f64,
        node_timeout: f64,
        connect_timeout: f64,
        prefix: &[u8],
        label: &str,
        replicas: u32,
        sharded: bool,
    ) -> Self {
        let policy = Policy {
            drift: number(drift * 1_000_000.0),
            retry_min: span(retry_min),
            retry_max: span(retry_max),
            node_timeout: (node_timeout > 0.0).then(|| span(node_timeout)),
            connect_timeout: span(connect_timeout),
            prefix: prefix.into(),
            label: label.into(),
            replicas,
            sharded,
        };
        let mut engine = Engine::new(policy, Runtime::default());
        engine.observe(Observed::FirstContacts);
        let (clock, records) = (Clock::default(), Records::default());
        Self { engine, clock, records, input: Vec::new(), refusal: None }
    }

    /// Adds a server; empty strings for no user and no password. `commands`: see [`Transport::Commands`]; with `independent`
    /// as well, see [`Transport::Independent`].
    pub fn add_node(
        &mut self,
        user: String,
        password: String,
        database: u32,
        commands: bool,
        independent: bool,
    ) -> u32 {
        let transport = match (commands, independent) {
            (false, _) => Transport::Stream,
            (true, false) => Transport::Commands,
            (true, true) => Transport::Independent,
        };
        self.engine.add_node(Endpoint { user, password, database, transport }).0
    }

    /// Makes the last servers that were added the seeds of one cluster, which announces them with these `addresses`: `host:port`,
    /// one per line, in order. Returns whether they were taken. `poll` then names servers that were never added: `address`
    /// tells where these are.
    pub fn cluster(&mut self, addresses: &str) -> bool {
        self.engine.form_cluster(addresses)
    }

    /// Makes the last `count` servers that were added sentinels, which know the master by this name; the other arguments are as in
    /// `add_node`, for the master. Returns false if there are not as many.
    pub fn sentinels(
        &mut self,
        count: u32,
        name: &str,
        user: String,
        password: String,
        database: u32,
    ) -> bool {
        let master = Endpoint { user, password, database, transport: Transport::Stream };
        self.engine.follow_sentinels(name, count, master)
    }

    /// The address of a server that was announced: `host:port`, where an IPv6 address has no brackets. Empty for others.
    #[must_use]
    pub fn address(&self, node: u32) -> String {
        self.engine.address(NodeId(node)).unwrap_or_default()
    }

    /// The place among the voters of the one to which a server belongs: each server that was added, or group of them, is one.
    #[must_use]
    pub fn voter(&self, node: u32) -> u32 {
        self.engine.voter(NodeId(node))
    }

    /// Sets whether `poll` also returns the records for observers. By default, and without observers, the only one is the
    /// failure of the first connection to a server, if locks wait for it or if there are several servers.
    pub fn observe(&mut self, wanted: bool) {
        self.engine.observe(if wanted { Observed::Everything } else { Observed::FirstContacts });
    }

    /// The current state, as a plain object.
    ///
    /// # Errors
    /// Cannot happen: everything in a snapshot has a counterpart in JavaScript.
    pub fn inspect(&self) -> Result<JsValue, JsValue> {
        Ok(serde_wasm_bindgen::to_value(&self.engine.inspect())?)
    }

    /// The address of the room, with at least `length` bytes, for what `acquire` and `received` take. It holds until the next
    /// call of `room`.
    pub fn room(&mut self, length: usize) -> *mut u8 {
        if self.input.len() < length {
            self.input.resize(length, 0);
        }
        self.input.as_mut_ptr()
    }

    /// Asks for a lock. The first `length` bytes of the room are its `keys` keys, and its token if it has one, each after its
    /// own length as a u32, little-endian. Without a token, one is drawn; `flags` as in [`flag`]; `fence` is that of a lock to
    /// adopt, or 0. A `GRANTED` or `FAILED` record follows. Returns the lock's number, negative if `early` has something to send,
    /// and 0 for an invalid request: `refused` says why.
    #[allow(clippy::too_many_arguments, reason = "flat numbers are what crosses the boundary fast")]
    pub fn acquire(
        &mut self,
        length: usize,
        keys: usize,
        ttl: f64,
        wait: f64,
        flags: u32,
        max_hold: f64,
        fence: u64,
        mono: f64,
        wall: f64,
    ) -> f64 {
        let mut names = Names(self.input.get(..length).unwrap_or_default());
        let request = Request {
            keys: names.by_ref().take(keys).collect(),
            token: names.next(),
            ttl: span(ttl),
            wait: span(wait),
            renew: flags & flag::RENEW != 0,
            max_hold: span(max_hold),
            fair: flags & flag::FAIR != 0,
            adopt: (flags & flag::ADOPT != 0).then_some(fence),
        };
        let now = self.now(mono, wall);
        match self.engine.acquire(request, now) {
            Ok(lock) if self.engine.has_early_transmit() => -f64::from(lock.0),
            Ok(lock) => lock.0.into(),
            Err(invalid) => {
                self.refusal = Some(invalid);
                0.0
            }
        }
    }

    /// The TypeError or RangeError of the acquire that was refused last.
    pub fn refused(&mut self) -> JsValue {
        self.refusal.take().map_or(JsValue::UNDEFINED, error)
    }

    /// Forgets a lock, and cleans up in the background.
    pub fn cancel(&mut self, lock: u32, mono: f64, wall: f64) {
        let now = self.now(mono, wall);
        self.engine.cancel(HandleId(lock), now);
    }

    /// Releases a held lock. A `RELEASED` record follows. Returns whether `early` has something to send.
    pub fn release(&mut self, lock: u32, mono: f64, wall: f64) -> bool {
        let now = self.now(mono, wall);
        self.engine.release(HandleId(lock), now);
        self.engine.has_early_transmit()
    }

    /// Extends a lease to at least `ttl` ms from now. An `EXTENDED` or `OPERATION_FAILED` record with the returned
    /// number follows.
    pub fn extend(&mut self, lock: u32, ttl: f64, mono: f64, wall: f64) -> u32 {
        let now = self.now(mono, wall);
        self.engine.extend(HandleId(lock), span(ttl), now).0
    }

    /// Asks the servers whether a lock is still held. A `VERIFIED` or `OPERATION_FAILED` record follows under the number returned.
    pub fn verify(&mut self, lock: u32, mono: f64, wall: f64) -> u32 {
        let now = self.now(mono, wall);
        self.engine.verify(HandleId(lock), now).0
    }

    /// Closes the client: pending acquires fail, held locks are lost and released, except those in `occupied`, for each
    /// of which a `CLOSING` record follows. Clean-up is complete when `busy` is 0.
    pub fn close(&mut self, occupied: &[u32], mono: f64, wall: f64) {
        let now = self.now(mono, wall);
        let occupied: Vec<HandleId> = occupied.iter().copied().map(HandleId).collect();
        self.engine.close(&occupied, now);
    }

    /// The remaining validity of a lock, in ms; 0 if it is not held.
    #[must_use]
    pub fn remaining(&self, lock: u32, mono: f64, wall: f64) -> f64 {
        millis(self.engine.remaining(HandleId(lock), self.clock.peek(micros(mono), micros(wall))))
    }

    /// How many locks are held, waited for or being cleaned up.
    #[must_use]
    pub fn busy(&self) -> usize {
        self.engine.busy()
    }

    /// How many locks owe the application something, for which the process must stay alive.
    #[must_use]
    pub fn owed(&self) -> usize {
        self.engine.owed()
    }

    /// Sets the credentials for a connection that is about to open, in place of those of its node.
    pub fn log_in(&mut self, connection: u32, user: String, password: String) {
        self.engine.log_in(ConnectionId(connection), user, password);
    }

    /// A connection is open.
    pub fn connected(&mut self, connection: u32, mono: f64, wall: f64) {
        let now = self.now(mono, wall);
        self.engine.handle_connected(ConnectionId(connection), now);
    }

    /// Bytes arrived: the first `length` of the room.
    pub fn received(&mut self, connection: u32, length: usize, mono: f64, wall: f64) {
        let now = self.now(mono, wall);
        let bytes = self.input.get(..length).unwrap_or_default();
        self.engine.handle_bytes(ConnectionId(connection), bytes, now);
    }

    /// A connection ended, or could not be made. `reason` is human-readable.
    pub fn closed(&mut self, connection: u32, reason: &str, mono: f64, wall: f64) {
        let now = self.now(mono, wall);
        self.engine.handle_closed(ConnectionId(connection), reason, now);
    }

    /// As `closed`, for an obstacle of [`wire::obstacle`](super::wire::obstacle) that the next connection would meet again.
    pub fn obstructed(&mut self, connection: u32, obstacle: u32, reason: &str, mono: f64, wall: f64) {
        let now = self.now(mono, wall);
        let id = ConnectionId(connection);
        match obstacle {
            obstacle::PERMISSION => self.engine.handle_obstacle(id, Obstacle::Permission, reason, now),
            obstacle::CERTIFICATE => self.engine.handle_obstacle(id, Obstacle::Certificate, reason, now),
            _ => self.engine.handle_closed(id, reason, now),
        }
    }

    /// The delay that `poll` returned is over.
    pub fn timeout(&mut self, mono: f64, wall: f64) {
        let now = self.now(mono, wall);
        self.engine.handle_timeout(now);
    }

    /// Data that has arrived can no longer be read: deadlines that have passed are believed at once.
    pub fn absence(&mut self, mono: f64, wall: f64) {
        let now = self.now(mono, wall);
        self.engine.handle_absence(now);
    }

    /// The address of everything that follows from the inputs so far: see the module's documentation. The numbers, and the
    /// bytes whose addresses are among them, hold until the next call of `poll`.
    pub fn poll(&mut self, mono: f64, wall: f64) -> *const f64 {
        let now = self.now(mono, wall);
        self.records.drain(&mut self.engine, now).as_ptr()
    }

    /// The address of records as those of `poll`, of which there are only `TRANSMIT` records, for bytes that are better written
    /// at once; null if there are none. Call it between inputs that come in a row. The other numbers of the head are 0.
    pub fn early(&mut self) -> *const f64 {
        self.records.drain_early(&mut self.engine).map_or(core::ptr::null(), <[f64]>::as_ptr)
    }

    /// The next string of the records, in their order.
    pub fn detail(&mut self) -> String {
        self.records.detail()
    }
}

impl Core {
    fn now(&mut self, mono: f64, wall: f64) -> Instant {
        let now = self.clock.advance(micros(mono), micros(wall));
        self.engine.handle_clock_step(self.clock.take_step());
        now
    }
}

/// Strings of bytes, each after its length as a u32, little-endian. One that is cut off ends with its rest.
struct Names<'a>(&'a [u8]);

impl Iterator for Names<'_> {
    type Item = Vec<u8>;

    fn next(&mut self) -> Option<Vec<u8>> {
        let (length, rest) = self.0.split_first_chunk()?;
        let length = usize::try_from(u32::from_le_bytes(*length)).unwrap_or(usize::MAX);
        let (name, others) = rest.split_at(length.min(rest.len()));
        self.0 = others;
        Some(name.to_vec())
    }
}

fn error(invalid: InvalidRequest) -> JsValue {
    let text = invalid.describe();
    match invalid {
        InvalidRequest::BadLease | InvalidRequest::TooManyKeys | InvalidRequest::TooManySlots => {
            RangeError::new(text).into()
        }
        InvalidRequest::NoNode
        | InvalidRequest::EmptyKey
        | InvalidRequest::ReservedKey
        | InvalidRequest::FairOnSeveral
        | InvalidRequest::FairInSlots
        | InvalidRequest::SlotsOnSeveral => TypeError::new(text).into(),
    }
}
