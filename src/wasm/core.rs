//! The façade of the core: numbers and bytes, no callback, no object on the hot path.
//!
//! Times are pairs of a monotonic and a wall clock in ms, read together. [`Core::poll`] drains everything into one
//! array of numbers: the delay until the next `timeout` in ms, then records of
//! [`wire::RECORD_LENGTH`](super::wire::RECORD_LENGTH) numbers, by kind.

use js_sys::{RangeError, TypeError};
use wasm_bindgen::prelude::*;

use super::{
    convert::{micros, millis, number, span},
    entropy::Runtime,
    record::Records,
    wire::{flag, obstacle},
};
use crate::{
    Clock, ConnectionId, Endpoint, Engine, HandleId, Instant, InvalidRequest, Observed, Obstacle, Policy,
    Request, Transport,
};

/// All locks of one client.
#[wasm_bindgen]
pub struct Core {
    engine: Engine<Runtime>,
    clock: Clock,
    records: Records,
}

#[wasm_bindgen]
impl Core {
    /// `label` is the prefix of drawn tokens; empty for none. `drift` is a fraction. The others are in ms; `node_timeout`
    /// is 0 for the default, which depends on the lease and the number of servers.
    #[wasm_bindgen(constructor)]
    pub fn new(
        drift: f64,
        retry_min: f64,
        retry_max: f64,
        node_timeout: f64,
        connect_timeout: f64,
        label: &str,
    ) -> Self {
        let policy = Policy {
            drift: number(drift * 1_000_000.0),
            retry_min: span(retry_min),
            retry_max: span(retry_max),
            node_timeout: (node_timeout > 0.0).then(|| span(node_timeout)),
            connect_timeout: span(connect_timeout),
            label: label.into(),
        };
        let mut engine = Engine::new(policy, Runtime::default());
        engine.observe(Observed::FirstContacts);
        Self { engine, clock: Clock::default(), records: Records::default() }
    }

    /// Adds a server; empty strings for no user and no password. `commands`: see [`Transport::Commands`].
    pub fn add_node(&mut self, user: String, password: String, database: u32, commands: bool) -> u32 {
        let transport = if commands { Transport::Commands } else { Transport::Stream };
        self.engine.add_node(Endpoint { user, password, database, transport }).0
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

    /// Asks for a lock. `keys` is one key, or several concatenated keys with their `lengths` in bytes. Without a `token`, one
    /// is drawn; `flags` as in [`flag`]; `fence` is that of a lock to adopt, or 0. A `GRANTED` or `FAILED` record follows.
    ///
    /// # Errors
    /// A TypeError or RangeError for an invalid request.
    #[allow(clippy::too_many_arguments, reason = "flat numbers and bytes are what crosses the boundary fast")]
    pub fn acquire(
        &mut self,
        keys: &[u8],
        lengths: &[u32],
        token: &[u8],
        ttl: f64,
        wait: f64,
        flags: u32,
        max_hold: f64,
        fence: u64,
        mono: f64,
        wall: f64,
    ) -> Result<u32, JsValue> {
        let request = Request {
            keys: split(keys, lengths),
            token: (!token.is_empty()).then(|| token.to_vec()),
            ttl: span(ttl),
            wait: span(wait),
            renew: flags & flag::RENEW != 0,
            max_hold: span(max_hold),
            fair: flags & flag::FAIR != 0,
            adopt: (flags & flag::ADOPT != 0).then_some(fence),
        };
        let now = self.now(mono, wall);
        self.engine.acquire(request, now).map(|lock| lock.0).map_err(thrown)
    }

    /// Forgets a lock, and cleans up in the background.
    pub fn cancel(&mut self, lock: u32, mono: f64, wall: f64) {
        let now = self.now(mono, wall);
        self.engine.cancel(HandleId(lock), now);
    }

    /// Releases a held lock. A `RELEASED` record follows.
    pub fn release(&mut self, lock: u32, mono: f64, wall: f64) {
        let now = self.now(mono, wall);
        self.engine.release(HandleId(lock), now);
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

    /// Bytes arrived.
    pub fn received(&mut self, connection: u32, bytes: &[u8], mono: f64, wall: f64) {
        let now = self.now(mono, wall);
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

    /// Everything that follows from the inputs so far: see the module's documentation.
    pub fn poll(&mut self, mono: f64, wall: f64) -> Vec<f64> {
        let now = self.now(mono, wall);
        self.records.drain(&mut self.engine, now)
    }

    /// The bytes to write to a connection for which `poll` returned a `TRANSMIT` record.
    pub fn transmit(&mut self, connection: u32) -> Vec<u8> {
        self.records.transmit(ConnectionId(connection))
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

fn split(keys: &[u8], lengths: &[u32]) -> Vec<Vec<u8>> {
    if lengths.is_empty() {
        return vec![keys.to_vec()];
    }
    let mut rest = keys;
    let lengths = lengths.iter().map(|&length| usize::try_from(length).unwrap_or(usize::MAX));
    let split = lengths.map(|length| {
        let (key, others) = rest.split_at(length.min(rest.len()));
        rest = others;
        key.to_vec()
    });
    split.collect()
}

fn thrown(invalid: InvalidRequest) -> JsValue {
    let text = invalid.describe();
    match invalid {
        InvalidRequest::BadLease => RangeError::new(text).into(),
        InvalidRequest::NoNode
        | InvalidRequest::EmptyKey
        | InvalidRequest::ReservedKey
        | InvalidRequest::FairOnSeveral => TypeError::new(text).into(),
    }
}
