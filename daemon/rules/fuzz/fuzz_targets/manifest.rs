//! A plugin's manifest: read, or refused with words that are bounded and harmless.

#![no_main]

use libfuzzer_sys::fuzz_target;
use simbell_rules::check_manifest;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    for problem in check_manifest(text) {
        let said = problem.to_string();
        assert!(said.len() < 8_000, "{} bytes", said.len());
        assert!(!said.chars().any(|c| c.is_control() && c != '\n' && c != '\t'), "{said:?}");
    }
});
