//! The allocator: a list of free blocks for each size.
//!
//! The standard library's, dlmalloc, takes 3 kB of the wasm after gzip. It joins free blocks that are neighbours, which
//! the core hardly needs: what it allocates has few sizes, and comes and goes.
//!
//! Sizes are 16, 24 and 32 bytes, and then four between a power of two and the next. A free block holds the address of
//! the next free one of its size.

use core::{
    alloc::{GlobalAlloc, Layout},
    arch::wasm32::{memory_grow, memory_size},
    cell::Cell,
    ptr::null_mut,
};

const PAGE: usize = 65_536;
const SMALLEST: usize = 16;
const SIZES: usize = 112;
/// What every address can be divided by.
const ALIGNMENT: usize = 8;

struct Heap {
    /// By number of the size.
    free: [Cell<*mut u8>; SIZES],
    /// The part of the memory that was never allocated.
    fresh: Cell<usize>,
    end: Cell<usize>,
}

#[global_allocator]
static HEAP: Heap =
    Heap { free: [const { Cell::new(null_mut()) }; SIZES], fresh: Cell::new(0), end: Cell::new(0) };

// SAFETY: the wasm has no threads.
unsafe impl Sync for Heap {}

/// A size of blocks.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Size {
    number: usize,
    bytes: usize,
}

#[allow(
    clippy::as_conversions,
    clippy::arithmetic_side_effects,
    reason = "sizes are at most isize::MAX, which has 31 bits"
)]
const fn size_of(layout: &Layout) -> Size {
    let last = if layout.size() < SMALLEST { SMALLEST - 1 } else { layout.size() - 1 };
    if last < 32 {
        let bytes = (last | (ALIGNMENT - 1)) + 1;
        return Size { number: bytes / ALIGNMENT, bytes };
    }
    let bit = last.ilog2() as usize;
    let quarter = (last >> (bit - 2)) & 3;
    Size { number: 4 * bit + quarter - 12, bytes: (5 + quarter) << (bit - 2) }
}

/// Each number is that of one size, which has room for what it is for, and is aligned.
const _: () = {
    let mut size = 0;
    let mut before = Size { number: 0, bytes: 0 };
    while size < 70_000 {
        size += 1;
        let Ok(layout) = Layout::from_size_align(size, ALIGNMENT) else { panic!() };
        let found = size_of(&layout);
        assert!(found.bytes >= size && found.bytes.is_multiple_of(ALIGNMENT));
        assert!((found.number == before.number) == (found.bytes == before.bytes));
        assert!(found.number >= before.number);
        before = found;
    }
    let Ok(layout) = Layout::from_size_align(0x7fff_fff8, ALIGNMENT) else { panic!() };
    assert!(size_of(&layout).number < SIZES);
};

impl Heap {
    /// Cuts a block off the memory that was never allocated.
    fn cut(&self, bytes: usize) -> *mut u8 {
        let block = self.fresh.get();
        let Some(after) = block.checked_add(bytes).filter(|&after| after <= self.end.get()) else {
            return self.grow(bytes);
        };
        self.fresh.set(after);
        core::ptr::with_exposed_provenance_mut(block)
    }

    /// Gets more memory from the runtime, and cuts a block off it.
    #[cold]
    fn grow(&self, bytes: usize) -> *mut u8 {
        let begin = memory_size::<0>().saturating_mul(PAGE);
        let pages = bytes.div_ceil(PAGE);
        if memory_grow::<0>(pages) == usize::MAX {
            return null_mut();
        }
        if begin != self.end.get() {
            self.fresh.set(begin);
        }
        self.end.set(begin.saturating_add(pages.saturating_mul(PAGE)));
        self.cut(bytes)
    }
}

// SAFETY: a block is at least as large as its layout, aligned as any layout that is not refused, and in use once: it comes
// from memory that was never allocated, or from a list that it leaves.
#[allow(clippy::indexing_slicing, clippy::cast_ptr_alignment, reason = "the number of a size is below SIZES")]
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if layout.align() > ALIGNMENT {
            return null_mut();
        }
        let Size { number, bytes } = size_of(&layout);
        let block = self.free[number].get();
        if block.is_null() {
            return self.cut(bytes);
        }
        // SAFETY: a free block begins with the address of the next one, and is aligned for it.
        self.free[number].set(unsafe { block.cast::<*mut u8>().read() });
        block
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        let free = &self.free[size_of(&layout).number];
        // SAFETY: the block is no longer in use, is aligned, and has room for an address.
        unsafe { block.cast::<*mut u8>().write(free.get()) };
        free.set(block);
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, bytes: usize) -> *mut u8 {
        // SAFETY: the caller guarantees that the new size, rounded up to the alignment, does not overflow.
        let wanted = unsafe { Layout::from_size_align_unchecked(bytes, layout.align()) };
        if size_of(&wanted) == size_of(&layout) {
            return block;
        }
        // SAFETY: as for alloc; the new block is another one, and both are as large as what is copied.
        let moved = unsafe { self.alloc(wanted) };
        if !moved.is_null() {
            // SAFETY: as above.
            unsafe {
                block.copy_to_nonoverlapping(moved, bytes.min(layout.size()));
                self.dealloc(block, layout);
            }
        }
        moved
    }
}
