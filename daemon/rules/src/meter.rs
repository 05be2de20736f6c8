//! The meter of one run: operations, wall time and memory, asked at each operation of the script.

use std::cell::Cell;
use std::marker::PhantomData;
use std::time::{Duration, Instant};

use rhai::Dynamic;

use crate::limits::{Limits, in_units};

/// What a run used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stats {
    /// Operations of the script.
    pub operations: u64,
    /// The most bytes held at once; 0 where the counting allocator is not installed.
    pub peak_bytes: u64,
    /// Wall time.
    pub elapsed: Duration,
}

/// Reads the clock once in so many operations: reading it costs as much as several operations do.
const OPERATIONS_A_LOOK: u64 = 64;

/// How often one run may print.
const MOST_PRINTS: u32 = 20;

#[derive(Debug, Clone, Copy)]
struct Bounds {
    until: Instant,
    memory: i64,
    stack: usize,
    stack_base: usize,
    operations: u64,
    prints: u32,
}

thread_local! {
    // An evaluation stays on one thread, and Rhai's progress callback is given nothing that could name the run.
    static BOUNDS: Cell<Option<Bounds>> = const { Cell::new(None) };
}

/// Bounds the scripts that run on this thread until it is dropped.
#[derive(Debug)]
pub(crate) struct RunMeter {
    began: Instant,
    _allocations: simbell_alloc::Meter,
    not_send: PhantomData<*const ()>,
}

impl RunMeter {
    /// Starts the deadline and the count of memory.
    pub(crate) fn start(limits: &Limits) -> Self {
        let began = Instant::now();
        let until = began.checked_add(limits.deadline).unwrap_or(began);
        let memory = i64::try_from(limits.memory).unwrap_or(i64::MAX);
        let bounds = Bounds {
            until,
            memory,
            stack: limits.stack,
            stack_base: stack_place(),
            operations: 0,
            prints: 0,
        };
        BOUNDS.set(Some(bounds));
        Self { began, _allocations: simbell_alloc::Meter::arm(), not_send: PhantomData }
    }

    /// Ends the run and says what it used.
    pub(crate) fn finish(self) -> Stats {
        Stats {
            operations: BOUNDS.get().map_or(0, |bounds| bounds.operations),
            peak_bytes: u64::try_from(simbell_alloc::peak()).unwrap_or(0),
            elapsed: self.began.elapsed(),
        }
    }
}

impl Drop for RunMeter {
    fn drop(&mut self) {
        BOUNDS.set(None);
    }
}

/// Whether the run may print once more: a log is no place for a rule's loop.
pub(crate) fn may_print() -> bool {
    let Some(mut bounds) = BOUNDS.get() else {
        return false;
    };
    bounds.prints = bounds.prints.saturating_add(1);
    BOUNDS.set(Some(bounds));
    bounds.prints <= MOST_PRINTS
}

/// Rhai's progress callback: a reason ends the script, and no `catch` of it holds that back.
pub(crate) fn progress(operations: u64) -> Option<Dynamic> {
    let mut bounds = BOUNDS.get()?;
    bounds.operations = bounds.operations.saturating_add(1);
    BOUNDS.set(Some(bounds));
    if simbell_alloc::held() > bounds.memory {
        return Some(
            format!(
                "held more than {} of memory",
                in_units(usize::try_from(bounds.memory).unwrap_or(usize::MAX))
            )
            .into(),
        );
    }
    if stack_place().abs_diff(bounds.stack_base) > bounds.stack {
        return Some("called and nested too deeply".into());
    }
    if operations.is_multiple_of(OPERATIONS_A_LOOK) && Instant::now() >= bounds.until {
        return Some("ran for too long".into());
    }
    None
}

/// Where on its stack the thread is. Rhai counts calls and the depth of expressions, each by itself; what both come to
/// on the stack, whose end would end the process, is known by looking.
#[inline(never)]
fn stack_place() -> usize {
    let here = 0_u8;
    std::ptr::from_ref(std::hint::black_box(&here)).addr()
}
