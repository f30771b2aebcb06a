/// The largest reply that is accepted (rule 15). A larger reply ends the connection and affects nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Limits {
    /// How deep aggregates may be nested. At most 16; a larger value counts as 16.
    pub depth: usize,
    /// How many values one reply may have, including each element of its aggregates.
    pub elements: u32,
    /// How many bytes one reply may have. Also bounds how much of an incomplete reply is buffered.
    pub bytes: usize,
}

impl Default for Limits {
    /// Depth 8, 4 096 elements, 256 KiB: above the replies of scripts (1 001 elements for a lock of 1 000 keys, some
    /// kB) and of HELLO (some kB).
    fn default() -> Self {
        Self { depth: 8, elements: 4096, bytes: 256 * 1024 }
    }
}
