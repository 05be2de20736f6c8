//! Whether the kernel says that the clock is synchronised.

/// Asks the kernel (`adjtimex(2)` with no modes: it reads, and needs no privilege). False where it cannot say.
#[must_use]
pub fn synchronised() -> bool {
    // SAFETY: `timex` is plain old data for which zeroes are valid; with `modes` 0 the kernel only fills it in.
    let (state, status) = unsafe {
        let mut timex: libc::timex = std::mem::zeroed();
        (libc::adjtimex(&raw mut timex), timex.status)
    };
    state >= 0 && state != libc::TIME_ERROR && status & libc::STA_UNSYNC == 0
}

#[cfg(test)]
mod tests {
    #[test]
    fn agrees_with_itself() {
        // What it says depends on the machine; that it says the same twice does not.
        assert_eq!(super::synchronised(), super::synchronised());
    }
}
