//! What an engine has to say. Every test drains its engines here, in the order of the TypeScript shell.

use redlatch::{ConnectionId, Engine, Entropy, Event, Instant, NodeId};

/// One thing that the engine wants done.
#[derive(Debug)]
pub enum Output {
    Event(Event),
    Close(ConnectionId),
    Connect(NodeId, ConnectionId),
    Transmit(ConnectionId, Vec<u8>),
}

/// The next thing, events first; `None` once everything is drained.
pub fn next_output<E: Entropy + 'static>(engine: &mut Engine<E>, now: Instant) -> Option<Output> {
    engine.poll_event(now).map(Output::Event).or_else(|| next_io(engine))
}

/// The next thing that concerns a connection, for a test that polls events at a time of its own.
pub fn next_io<E: Entropy + 'static>(engine: &mut Engine<E>) -> Option<Output> {
    if let Some(id) = engine.poll_close() {
        return Some(Output::Close(id));
    }
    if let Some((node, id)) = engine.poll_connect() {
        return Some(Output::Connect(node, id));
    }
    engine.poll_transmit().map(|(id, bytes)| Output::Transmit(id, bytes))
}
