/// What a reply may cost at most. A server that sends more loses its connection; nothing else is hurt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Limits {
    /// Levels of aggregates within each other. At most 16.
    pub depth: usize,
    /// Values in one reply, those inside of aggregates counted one by one.
    pub elements: u32,
    /// Bytes of one reply, and so of what is kept of an incomplete one.
    pub bytes: usize,
}

impl Default for Limits {
    /// Depth 8, 4 096 elements, 256 KiB: far above the replies of scripts (5 elements, 200 bytes) and of HELLO (some kB).
    fn default() -> Self {
        Self { depth: 8, elements: 4096, bytes: 256 * 1024 }
    }
}
