//! Memory that a start needs and an always-on service does not.

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
/// it is called on that thread; lets go of the program's code: what runs again is mapped again, 64 kB at a time, from
/// the kernel's cache. Says how many bytes of code were let go of.
pub fn give_back() -> usize {
    #[cfg(target_env = "gnu")]
    // SAFETY: it returns pages that hold no allocation.
    unsafe {
        libc::malloc_trim(0);
    }
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap_or_default();
    let here = std::ptr::from_ref(&maps).addr();
    if let Some(unused) = maps.lines().find_map(|line| stack_below(line, here)) {
        let_go_of_stack(unused);
    }
    maps.lines().filter_map(code).filter_map(let_go).sum()
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

/// The addresses of a line of `/proc/PID/maps` that is of code as it is in its file: readable, executable, private, and
/// not writable.
fn code(line: &str) -> Option<Range<usize>> {
    let mut fields = line.split_ascii_whitespace();
    let (range, kind) = (fields.next()?, fields.next()?);
    if kind != "r-xp" || !fields.nth(3)?.starts_with('/') {
        return None;
    }
    let (start, end) = range.split_once('-')?;
    Some(usize::from_str_radix(start, 16).ok()?..usize::from_str_radix(end, 16).ok()?)
}

fn let_go(code: Range<usize>) -> Option<usize> {
    let length = code.end.checked_sub(code.start)?;
    let start = std::ptr::without_provenance_mut(code.start);
    // SAFETY: the pages are of a file and cannot be written, so they are the file's: whoever runs them next, on this
    // thread or another, finds the same.
    let done = unsafe { libc::madvise(start, length, libc::MADV_DONTNEED) };
    (done == 0).then_some(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_code_of_files_is_let_go_of() {
        let line = "55d1c0e2b000-55d1c1587000 r-xp 0022b000 fe:00 12034059   /usr/bin/simbelld";
        assert_eq!(code(line), Some(0x55d1_c0e2_b000..0x55d1_c158_7000));
        for other in [
            "55d1c0c00000-55d1c0e2b000 r--p 00000000 fe:00 12034059   /usr/bin/simbelld",
            "55d1c0c00000-55d1c0e2b000 rwxp 00000000 fe:00 12034059   /usr/bin/simbelld",
            "7ffd4b9f2000-7ffd4b9f4000 r-xp 00000000 00:00 0          [vdso]",
            "7f7b23a00000-7f7b23a21000 r-xp 00000000 00:00 0",
            "",
        ] {
            assert_eq!(code(other), None, "{other}");
        }
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
        use_one_arena();
        let kept = vec![7_u8; 1_000_000];
        let working = std::thread::spawn(|| (0..200_000_u64).map(|n| n.to_string().len()).sum::<usize>());
        assert!(give_back() > 4_096, "there is code");
        assert!(kept.iter().all(|byte| *byte == 7));
        assert_eq!(working.join().expect("the thread ends"), 1_088_890);
    }
}
