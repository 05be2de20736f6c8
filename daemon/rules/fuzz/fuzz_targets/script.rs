//! A rule's text: compiled, and tried on made-up inputs. Whatever it is, it is refused or ends within its limits, and
//! what is said of it is bounded text without control characters.

#![no_main]

use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use simbell_rules::{Limits, check_text};

#[global_allocator]
static ALLOCATOR: simbell_alloc::CountingAllocator = simbell_alloc::CountingAllocator;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    // Far below the defaults, so that many are tried; the deadline is for a stalled machine.
    let limits = Limits { operations: 2_000, deadline: Duration::from_secs(5), ..Limits::default() };
    for problem in check_text(text, &limits) {
        let said = problem.to_string();
        assert!(said.len() < 8_000, "{} bytes", said.len());
        assert!(!said.chars().any(|c| c.is_control() && c != '\n' && c != '\t'), "{said:?}");
        assert!(!said.contains("panicked"), "{said}");
        if let Some((line, column)) = problem.at {
            assert!(line >= 1 && column >= 1 && line <= text.lines().count() + 1, "{said}");
        }
    }
});
