//! What a sentinel knows.

use std::collections::BTreeMap;

/// The masters that a sentinel watches: the host and the port of each, by name.
pub(super) type SentinelView = BTreeMap<Vec<u8>, (String, u16)>;
