//! Memory that a start needs and an always-on service does not.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::ops::Range;

/// Has all threads allocate from one heap: another for each would hold what that thread once needed for good. To be
/// called before there is a second thread. Without effect where the C library is not glibc.
pub fn use_one_arena() {
    #[cfg(target_env = "gnu")]
    // SAFETY: it sets a parameter of the allocator, and touches no allocation.
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, 1);
    }
}

/// What a function that is running, and those it calls here, may have of the stack below the place that is looked at.
const STACK_IN_USE: usize = 16 * 1024;

/// Returns free pages of the heap to the kernel, and those of the main thread's stack that deeper calls once used where
/// it is called on that thread; lets go of the program's code and constants: what is used again is mapped again, 64 kB at
/// a time, from the kernel's cache. Those that are not as in their file, such as where a debugger has a breakpoint, stay.
///
/// What a service at work runs, as far as the linker was told (`daemon/resident.ld`), is read in at once: by a page here
/// and a page there it would be read from the disk in pieces, each when something waits for it.
///
/// What is used from then on stays in memory where `RLIMIT_MEMLOCK` allows, until the next time: a service that sleeps for
/// minutes is the first whose code a kernel short of memory drops, and would read it from the disk when it has to ring.
pub fn give_back() -> GivenBack {
    #[cfg(target_env = "gnu")]
    {
        empty_cache();
        // SAFETY: it returns pages that hold no allocation.
        unsafe {
            libc::malloc_trim(0);
        }
    }
    let here = 0_u8;
    let here = std::ptr::from_ref(std::hint::black_box(&here)).addr();
    let mut given = GivenBack::default();
    let Ok(found) = File::open("/proc/self/smaps").and_then(|smaps| look(BufReader::new(smaps), here)) else {
        return given;
    };
    if let Some(unused) = found.stack {
        let_go_of_stack(unused);
    }
    for range in found.files {
        let bytes = range.len();
        if let_go(&range) {
            given.files = given.files.saturating_add(bytes);
        }
        if keep_what_is_used(&range) {
            given.kept = given.kept.saturating_add(bytes);
        }
    }
    read_in(resident());
    given
}

/// The linker puts it where the functions begin that a service at work runs.
#[unsafe(link_section = ".text.simbell_resident_first")]
#[inline(never)]
extern "C" fn first(one: u32) -> u32 {
    one.wrapping_add(1)
}

/// And this where they end.
#[unsafe(link_section = ".text.simbell_resident_last")]
#[inline(never)]
extern "C" fn last(one: u32) -> u32 {
    one.wrapping_add(2)
}

/// More than they can be: where the linker was told nothing, the two lie anywhere.
const MOST_RESIDENT: usize = 4 * 1024 * 1024;

/// The addresses of what a service at work runs; nothing where the linker was not told of it.
fn resident() -> Range<usize> {
    let [first, last] = [first, last].map(|at: extern "C" fn(u32) -> u32| (at as *const ()).addr());
    // SAFETY: it asks for a constant of this kernel.
    let page = usize::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).unwrap_or(MOST_RESIDENT);
    let found = first - first % page.max(1)..last;
    if found.len() > MOST_RESIDENT { 0..0 } else { found }
}

/// Before Linux 5.14 it is without effect, and each page is read when it is used.
fn read_in(range: Range<usize>) {
    if !range.is_empty() {
        // SAFETY: it maps pages of code, as using them would.
        unsafe {
            libc::madvise(
                std::ptr::without_provenance_mut(range.start),
                range.len(),
                libc::MADV_POPULATE_READ,
            );
        }
    }
}

/// What [`give_back`] did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct GivenBack {
    /// Bytes of addresses of code and constants that were let go of.
    pub files: usize,
    /// Bytes of addresses of which what is used from now on stays in memory.
    pub kept: usize,
}

/// Empties what glibc keeps for this thread of freed blocks, seven of each size up to 1,032 bytes: after a start they lie
/// all over the heap, and keep whole pages. They are taken out by allocating them, and freed by a thread that ends,
/// which has its own returned to the heap.
#[cfg(target_env = "gnu")]
fn empty_cache() {
    let sizes = (24..=1_032).step_by(16);
    let blocks: Vec<Vec<u8>> =
        sizes.flat_map(|size| std::iter::repeat_n(size, 7)).map(Vec::with_capacity).collect();
    // Without the thread they are as they were.
    if let Ok(thread) = std::thread::Builder::new().spawn(move || drop(std::hint::black_box(blocks))) {
        let _ = thread.join();
    }
}

/// What can be let go of.
#[derive(Debug, Default, PartialEq, Eq)]
struct Found {
    stack: Option<Range<usize>>,
    /// Code and constants.
    files: Vec<Range<usize>>,
}

/// Looks through `/proc/PID/smaps`: a line of `/proc/PID/maps` for each mapping, and below it lines of figures.
fn look(mut smaps: impl BufRead, here: usize) -> io::Result<Found> {
    let mut found = Found::default();
    let mut line = Vec::new();
    // A mapping whose figures follow: how many of the two that tell of changed pages, those in memory and those swapped out,
    // were 0.
    let mut asked: Option<(Range<usize>, u32)> = None;
    loop {
        line.clear();
        if smaps.read_until(b'\n', &mut line)? == 0 {
            return Ok(found);
        }
        let text = String::from_utf8_lossy(&line);
        let text = text.trim_end();
        match text.split_once(':').map(|(name, figure)| (name, figure.trim())) {
            Some(("Anonymous" | "Swap", "0 kB")) => {
                if let Some((range, zeros)) = asked.take() {
                    match zeros.saturating_add(1) {
                        2 => found.files.push(range),
                        zeros => asked = Some((range, zeros)),
                    }
                }
            }
            Some(("Anonymous" | "Swap", _)) => asked = None,
            // A figure's name is one word; a mapping's line begins with addresses, and has colons further on.
            Some((name, _)) if !name.contains(' ') => {}
            _ => {
                asked = of_file(text).map(|range| (range, 0));
                found.stack = found.stack.or_else(|| stack_below(text, here));
            }
        }
    }
}

/// The addresses of a line of `/proc/PID/maps` that is of the main thread's stack, below what is in use where `here` is
/// a place in it.
fn stack_below(line: &str, here: usize) -> Option<Range<usize>> {
    let (range, rest) = line.split_once(' ')?;
    let (start, end) = range.split_once('-')?;
    let (start, end) = (usize::from_str_radix(start, 16).ok()?, usize::from_str_radix(end, 16).ok()?);
    if !rest.ends_with(" [stack]") || !(start..end).contains(&here) {
        return None;
    }
    // A whole page, whatever the size of pages is: the kernel rounds a length up.
    let unused = start..here.checked_sub(STACK_IN_USE)? & !(STACK_IN_USE - 1);
    (!unused.is_empty()).then_some(unused)
}

fn let_go_of_stack(unused: Range<usize>) {
    let start = std::ptr::without_provenance_mut(unused.start);
    // SAFETY: the pages are this thread's stack below all that runs: nothing is kept there, and they are written before
    // they are read again.
    unsafe {
        libc::madvise(start, unused.len(), libc::MADV_DONTNEED);
    }
}

/// The addresses of a line of `/proc/PID/maps` that is of code or constants from a file: readable, private, and not
/// writable. The loader or a debugger may have changed them all the same.
fn of_file(line: &str) -> Option<Range<usize>> {
    let mut fields = line.split_ascii_whitespace();
    let (range, kind) = (fields.next()?, fields.next()?);
    if !matches!(kind, "r-xp" | "r--p") || !fields.nth(3)?.starts_with('/') {
        return None;
    }
    let (start, end) = range.split_once('-')?;
    Some(usize::from_str_radix(start, 16).ok()?..usize::from_str_radix(end, 16).ok()?)
}

fn let_go(range: &Range<usize>) -> bool {
    let start = std::ptr::without_provenance_mut(range.start);
    // SAFETY: the pages are of a file, this program cannot write them, and none was a copy of its own a moment ago, so they
    // are the file's: whoever uses them next, on this thread or another, finds the same. Those that stay in memory are
    // not let go of before that is taken back.
    unsafe {
        libc::munlock(start, range.len());
        libc::madvise(start, range.len(), libc::MADV_DONTNEED) == 0
    }
}

fn keep_what_is_used(range: &Range<usize>) -> bool {
    // SAFETY: it changes which pages the kernel may drop, and none of what they hold.
    unsafe { libc::mlock2(std::ptr::without_provenance(range.start), range.len(), libc::MLOCK_ONFAULT) == 0 }
}

#[cfg(test)]
mod tests {
    use std::sync::{Mutex, PoisonError};

    use super::*;

    /// Held by who changes code, and by who lets go of it: in between the one would be lost.
    static ONE: Mutex<()> = Mutex::new(());

    #[test]
    fn only_code_and_constants_of_files_are_let_go_of() {
        let line = "55d1c0e2b000-55d1c1587000 r-xp 0022b000 fe:00 12034059   /usr/bin/simbelld";
        assert_eq!(of_file(line), Some(0x55d1_c0e2_b000..0x55d1_c158_7000));
        let line = "55d1c0c00000-55d1c0e2b000 r--p 00000000 fe:00 12034059   /usr/bin/simbelld";
        assert_eq!(of_file(line), Some(0x55d1_c0c0_0000..0x55d1_c0e2_b000));
        for other in [
            "55d1c0c00000-55d1c0e2b000 r--s 00000000 fe:00 12034059   /usr/bin/simbelld",
            "55d1c0c00000-55d1c0e2b000 rwxp 00000000 fe:00 12034059   /usr/bin/simbelld",
            "7ffd4b9f2000-7ffd4b9f4000 r-xp 00000000 00:00 0          [vdso]",
            "7f7b23a00000-7f7b23a21000 r-xp 00000000 00:00 0",
            "",
        ] {
            assert_eq!(of_file(other), None, "{other}");
        }
    }

    #[test]
    fn code_that_was_changed_is_kept() {
        let mapping = |start: &str, end: &str, figures: &[(&str, u32)]| {
            let line = format!("{start}-{end} r-xp 0022b000 fe:00 12034059   /usr/bin/simbelld\n");
            figures.iter().fold(line, |text, (name, kb)| format!("{text}{name}: {kb:>8} kB\n"))
                + "THPeligible:           0\nVmFlags: rd ex mr mw me sd\n"
        };
        let smaps = [
            // Not yet written to the disk: the file's all the same.
            mapping("1000", "3000", &[("Rss", 8), ("Private_Dirty", 8), ("Anonymous", 0), ("Swap", 0)]),
            mapping("3000", "5000", &[("Rss", 8), ("Private_Dirty", 4), ("Anonymous", 4), ("Swap", 0)]),
            mapping("5000", "7000", &[("Rss", 8), ("Private_Dirty", 0), ("Anonymous", 0), ("Swap", 4)]),
            // Nothing is said of changes.
            mapping("7000", "9000", &[("Rss", 8), ("Anonymous", 0)]),
            "9000-a000 rw-p 00000000 fe:00 1 /x: y\nAnonymous: 0 kB\nSwap: 0 kB\n".to_owned(),
            mapping("a000", "b000", &[("Rss", 4), ("Anonymous", 0), ("Swap", 0)]),
        ];
        let found = look(smaps.concat().as_bytes(), 0).expect("it is read");
        assert_eq!(found, Found { stack: None, files: vec![0x1000..0x3000, 0xa000..0xb000] });
    }

    /// As a debugger does, in memory that it may not write: the page becomes this process's own.
    #[test]
    fn a_breakpoint_stays_where_it_is() {
        #[inline(never)]
        extern "C" fn patched() -> u32 {
            std::hint::black_box(7)
        }
        let at = (patched as extern "C" fn() -> u32 as *const ()).addr();
        let holds = |range: &Range<usize>| range.contains(&at);
        let looked = || {
            let smaps = File::open("/proc/self/smaps").expect("/proc is there");
            look(BufReader::new(smaps), 0).expect("it is read")
        };
        let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
        assert_eq!(patched(), 7);
        assert!(looked().files.iter().any(holds), "as in its file");
        let memory = std::fs::OpenOptions::new()
            .read(true)
            .write(true)
            .open("/proc/self/mem")
            .expect("its own memory");
        let place = u64::try_from(at).expect("an address");
        let mut byte = [0];
        std::os::unix::fs::FileExt::read_exact_at(&memory, &mut byte, place).expect("it is read");
        // The same byte: the page counts as changed, and the program runs on.
        std::os::unix::fs::FileExt::write_all_at(&memory, &byte, place)
            .expect("it is written as a debugger would");
        assert!(!looked().files.iter().any(holds), "changed");
        give_back();
        assert!(!looked().files.iter().any(holds), "the change is still there");
        assert_eq!(patched(), 7);
    }

    #[test]
    fn only_the_stack_below_what_runs_is_let_go_of() {
        let line = "7ffd4b9a0000-7ffd4b9f2000 rw-p 00000000 00:00 0                          [stack]";
        assert_eq!(stack_below(line, 0x7ffd_4b9e_d5a8), Some(0x7ffd_4b9a_0000..0x7ffd_4b9e_8000));
        assert_eq!(stack_below(line, 0x7ffd_4b9a_5000), None, "less than may be in use is below");
        assert_eq!(stack_below(line, 0x7f7b_23a1_0000), None, "another thread's stack");
        for other in ["7ffd4b9a0000-7ffd4b9f2000 rw-p 00000000 00:00 0", "7ffd4b9a0000-7ffd4b9f2000", ""] {
            assert_eq!(stack_below(other, 0x7ffd_4b9e_d5a8), None, "{other}");
        }
    }

    #[test]
    fn a_program_goes_on_after_it() {
        let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
        use_one_arena();
        let kept = vec![7_u8; 1_000_000];
        let working = std::thread::spawn(|| (0..200_000_u64).map(|n| n.to_string().len()).sum::<usize>());
        let given = give_back();
        assert!(given.files > 4_096, "there is code");
        assert!(given.kept <= given.files);
        let status = std::fs::read_to_string("/proc/self/status").expect("/proc is there");
        let locked = status.lines().find_map(|line| line.strip_prefix("VmLck:")?.trim().strip_suffix(" kB"));
        assert_eq!(locked.and_then(|kb| kb.parse::<usize>().ok()), Some(given.kept / 1_024));
        // What stays in memory is let go of as well.
        assert_eq!(give_back(), given);
        assert!(kept.iter().all(|byte| *byte == 7));
        assert_eq!(working.join().expect("the thread ends"), 1_088_890);
    }
}
