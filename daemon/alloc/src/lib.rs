//! A global allocator that counts what the current thread holds while a [`Meter`] is armed on it.
//!
//! Rhai limits the size of strings, arrays and maps, but not what a script holds in all. A rule's evaluation arms
//! a meter and asks [`held`] at each operation. Outside of an armed span the cost is one thread-local read.
//!
//! Beside it, [`give_back`] returns memory that only a start needed.
//!
//! The allocator only counts and never refuses: Rust ends the process when an allocation fails, so a cap inside
//! the allocator would let one rule end the service.

mod back;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::marker::PhantomData;

pub use back::{GivenBack, give_back, use_one_arena};

/// The system's allocator, counted. Installed by a binary with `#[global_allocator]`.
#[derive(Debug, Clone, Copy, Default)]
pub struct CountingAllocator;

/// What the current thread allocated, less what it freed, in bytes since the meter was armed; 0 when none is.
///
/// Negative when the thread frees what was allocated before.
#[must_use]
pub fn held() -> i64 {
    COUNT.get().held
}

/// The highest value of [`held`] since the meter was armed, in bytes.
#[must_use]
pub fn peak() -> i64 {
    COUNT.get().peak
}

/// How often the current thread allocated since the meter was armed; a block that grows counts once each time.
#[must_use]
pub fn made() -> u64 {
    COUNT.get().made
}

/// Whether [`CountingAllocator`] is this program's global allocator.
#[must_use]
pub fn installed() -> bool {
    let meter = Meter::arm();
    let probe = std::hint::black_box(Box::new([0_u8; 64]));
    let counted = held() >= 64;
    drop(probe);
    drop(meter);
    counted
}

/// Counts the current thread's allocations until it is dropped; then an outer meter counts them, too.
#[derive(Debug)]
pub struct Meter {
    outer: Count,
    // The count belongs to one thread, so the guard stays on it.
    not_send: PhantomData<*const ()>,
}

impl Meter {
    /// Starts counting at 0.
    #[must_use]
    pub fn arm() -> Self {
        let outer = COUNT.replace(Count { armed: true, held: 0, peak: 0, made: 0 });
        Self { outer, not_send: PhantomData }
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        let inner = COUNT.get();
        let mut outer = self.outer;
        if outer.armed {
            outer.peak = outer.peak.max(outer.held.saturating_add(inner.peak));
            outer.held = outer.held.saturating_add(inner.held);
            outer.made = outer.made.wrapping_add(inner.made);
        }
        COUNT.set(outer);
    }
}

#[derive(Debug, Clone, Copy)]
struct Count {
    armed: bool,
    held: i64,
    peak: i64,
    made: u64,
}

thread_local! {
    // Const-initialised and without a destructor: reading it allocates nothing and works until the thread ends.
    static COUNT: Cell<Count> = const { Cell::new(Count { armed: false, held: 0, peak: 0, made: 0 }) };
}

fn count(grown: usize, shrunk: usize) {
    let mut count = COUNT.get();
    if count.armed {
        let grown = i64::try_from(grown).unwrap_or(i64::MAX);
        let shrunk = i64::try_from(shrunk).unwrap_or(i64::MAX);
        count.held = count.held.saturating_add(grown).saturating_sub(shrunk);
        count.peak = count.peak.max(count.held);
        count.made = count.made.wrapping_add(u64::from(grown > 0));
        COUNT.set(count);
    }
}

// SAFETY: every call is passed on unchanged to `System`, whose contract is the same; counting touches no memory
// of the allocation, allocates nothing and does not unwind.
unsafe impl GlobalAlloc for CountingAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller keeps `GlobalAlloc::alloc`'s contract, which is `System`'s.
        let block = unsafe { System.alloc(layout) };
        if !block.is_null() {
            count(layout.size(), 0);
        }
        block
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as in `alloc`.
        let block = unsafe { System.alloc_zeroed(layout) };
        if !block.is_null() {
            count(layout.size(), 0);
        }
        block
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the block came from `System` by one of the functions here, with this layout.
        unsafe { System.dealloc(block, layout) };
        count(0, layout.size());
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: as in `dealloc`; the caller keeps the contract of `size`.
        let moved = unsafe { System.realloc(block, layout, size) };
        if !moved.is_null() {
            count(size, layout.size());
        }
        moved
    }
}

#[cfg(test)]
mod tests {
    use super::{CountingAllocator, Meter, held, installed, made, peak};

    #[global_allocator]
    static ALLOCATOR: CountingAllocator = CountingAllocator;

    #[test]
    fn counts_what_is_held_and_the_peak_while_armed() {
        assert!(installed());
        assert_eq!(held(), 0);
        let unseen = vec![0_u8; 5_000];
        let meter = Meter::arm();
        let mut block: Vec<u8> = Vec::with_capacity(1_000);
        assert_eq!(held(), 1_000);
        block.reserve_exact(3_000);
        assert_eq!(held(), 3_000);
        assert!(peak() >= 3_000);
        assert_eq!(made(), 2);
        drop(block);
        assert_eq!(held(), 0);
        assert!(peak() >= 3_000);
        drop(unseen);
        assert_eq!(held(), -5_000);
        drop(meter);
        assert_eq!((held(), peak(), made()), (0, 0, 0));
    }

    #[test]
    fn a_meter_counts_its_own_thread_only() {
        let _meter = Meter::arm();
        let before = held();
        let elsewhere = std::thread::scope(|scope| {
            let counted = scope.spawn(|| {
                let block = std::hint::black_box(vec![0_u8; 100_000]);
                let counted = held();
                drop(block);
                counted
            });
            counted.join().expect("the thread ends")
        });
        assert_eq!(elsewhere, 0);
        // What spawning itself allocates here is far less than the other thread's block.
        assert!(held() - before < 50_000);
    }

    #[test]
    fn an_outer_meter_continues_after_an_inner_one() {
        let _outer = Meter::arm();
        let block = vec![0_u8; 100];
        let kept = {
            let _inner = Meter::arm();
            assert_eq!((held(), made()), (0, 0));
            drop(vec![0_u8; 1_000]);
            vec![0_u8; 10]
        };
        assert_eq!(held(), 110);
        assert_eq!(peak(), 1_100);
        assert_eq!(made(), 3);
        drop((block, kept));
        assert_eq!(held(), 0);
    }
}
