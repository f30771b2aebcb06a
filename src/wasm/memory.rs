//! The façade of the memory server for JavaScript: numbers and bytes, no callback. It is a wasm of its own (cargo
//! feature `memory-wasm`), and contains nothing of the core.
//!
//! `now` is the server's wall clock: ms since 1970.

use serde::Serialize;
use wasm_bindgen::prelude::*;

use crate::{
    Instant,
    memory::{Keyspace, Server, SessionId, Value},
};

/// A server in memory.
#[wasm_bindgen]
#[derive(Default)]
pub struct MemoryServer {
    server: Server,
}

#[wasm_bindgen]
impl MemoryServer {
    /// An empty server without a password.
    #[wasm_bindgen(constructor)]
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Opens a session under a number of the caller's choice that is not in use.
    pub fn connect(&mut self, session: u32) {
        self.server.connect(id(session));
    }

    /// Ends a session.
    pub fn disconnect(&mut self, session: u32) {
        self.server.disconnect(id(session));
    }

    /// Takes bytes of a session and runs the commands that are complete.
    pub fn receive(&mut self, session: u32, bytes: &[u8], now: f64) {
        self.server.receive(id(session), bytes, Instant::from_micros(whole(now).saturating_mul(1000)));
    }

    /// The sessions that have output.
    #[must_use]
    pub fn written(&mut self) -> Vec<u32> {
        // `connect` took each number as a u32, so none is left out.
        self.server
            .sessions_with_output()
            .filter_map(|SessionId(number)| u32::try_from(number).ok())
            .collect()
    }

    /// The output of a session since the last call.
    #[must_use]
    pub fn take_output(&mut self, session: u32) -> Vec<u8> {
        self.server.take_output(id(session))
    }

    /// Whether a session has ended because it broke the protocol.
    #[must_use]
    pub fn is_closed(&self, session: u32) -> bool {
        self.server.is_closed(id(session))
    }

    /// Deletes all keys.
    pub fn flush(&mut self) {
        self.server.flush();
    }

    /// The keys that exist at `now`, by database and name, as plain objects.
    ///
    /// # Errors
    /// None in practice: every value has a counterpart in JavaScript.
    pub fn keys(&self, now: f64) -> Result<JsValue, JsValue> {
        let now = whole(now);
        let keys = self.server.databases().flat_map(|(number, keys)| listed(number, keys, now));
        Ok(serde_wasm_bindgen::to_value(&keys.collect::<Vec<_>>())?)
    }
}

/// A key in the list. Bytes that are not UTF-8 are replaced.
#[derive(Serialize)]
struct Key {
    database: u32,
    key: String,
    value: Content,
    /// In ms since 1970. The key exists until the end of that millisecond.
    expiry: Option<u64>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Content {
    Text(String),
    /// Members with their scores.
    SortedSet(Vec<(String, i64)>),
}

fn listed(database: u32, keys: &Keyspace, now: u64) -> impl Iterator<Item = Key> {
    keys.live(now).map(move |(key, value, expiry)| Key {
        database,
        key: text(key),
        value: content(value),
        expiry,
    })
}

fn content(value: &Value) -> Content {
    match value {
        Value::String(bytes) => Content::Text(text(bytes)),
        Value::SortedSet(set) => {
            let entries = set.entries().iter();
            Content::SortedSet(entries.map(|(score, member)| (text(member), *score)).collect())
        }
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn id(session: u32) -> SessionId {
    SessionId(session.into())
}

/// Whole ms, rounded down; 0 for a negative value or NaN.
#[allow(clippy::as_conversions, reason = "float to integer has no other conversion; it saturates")]
fn whole(millis: f64) -> u64 {
    millis as u64
}
