//! What a run remembers of its lock keys, to tell at once that it does not have another key.

/// The mark of a lock key: a hash of its name. Any other key may have the same one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Mark {
    /// A bit of [`Marks`].
    One { word: u8, bit: u64 },
    /// The lock has several keys.
    Any,
}

/// The marks of several locks: 1 024 bits, so that hardly one in 32 other keys finds its bit set among 32 keys.
#[derive(Clone, Debug, Default, Hash)]
pub(crate) struct Marks([u64; 16]);

impl Mark {
    /// The mark of a lock with these names of keys.
    pub(super) fn of(names: &[&[u8]]) -> Self {
        let [name] = names else { return Self::Any };
        let mut hash = 0_u64;
        // Eight bytes at a time, multiplied as by the hasher of the Firefox browser: the upper bits depend on all others.
        for chunk in name.chunks(8) {
            let mut bytes = [0; 8];
            bytes.iter_mut().zip(chunk).for_each(|(to, from)| *to = *from);
            hash = (hash.rotate_left(5) ^ u64::from_le_bytes(bytes)).wrapping_mul(0x517c_c1b7_2722_0a95);
        }
        let [first, second, ..] = hash.to_be_bytes();
        // The upper 4 bits, and the 6 behind them.
        let place = u32::from(first & 15).wrapping_shl(2) | u32::from(second >> 6);
        Self::One { word: first >> 4, bit: 1_u64.wrapping_shl(place) }
    }
}

impl Marks {
    pub(crate) fn add(&mut self, mark: Mark) {
        match mark {
            Mark::One { word, bit } => {
                if let Some(bits) = self.0.get_mut(usize::from(word)) {
                    *bits |= bit;
                }
            }
            Mark::Any => self.0 = [u64::MAX; 16],
        }
    }

    /// Whether a lock with this mark was added; sometimes true if it was not.
    pub(crate) fn has(&self, mark: Mark) -> bool {
        match mark {
            Mark::One { word, bit } => self.0.get(usize::from(word)).is_none_or(|bits| bits & bit != 0),
            Mark::Any => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(name: &str) -> Mark {
        Mark::of(&[name.as_bytes()])
    }

    #[test]
    fn a_key_that_was_added_is_found_and_hardly_any_other() {
        let mut marks = Marks::default();
        let name = |at| format!("user:{at}:profile");
        (0..32).for_each(|at| marks.add(mark(&name(at))));
        assert!((0..32).all(|at| marks.has(mark(&name(at)))));
        let others = (32..10_032).filter(|&at| marks.has(mark(&name(at)))).count();
        assert!(others < 500, "{others} of 10 000 other keys");
    }

    #[test]
    fn a_lock_of_several_keys_may_have_any_key() {
        let mut marks = Marks::default();
        assert!(!marks.has(mark("a")));
        assert!(marks.has(Mark::of(&[b"a", b"b"])));
        marks.add(Mark::of(&[b"a", b"b"]));
        assert!(marks.has(mark("c")));
    }
}
