//! A rule's text, and perhaps that of a module it imports: compiled, and tried on made-up inputs. Whatever it is, it is
//! refused or ends within its limits, and what is said of it is bounded text without control characters.

#![no_main]

use std::sync::LazyLock;
use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use simbell_rules::{Limits, Problem, check_plugin, check_text};
use simbell_rules_fuzz::{Folder, assert_harmless};

#[global_allocator]
static ALLOCATOR: simbell_alloc::CountingAllocator = simbell_alloc::CountingAllocator;

/// What follows this line is the module `lib.rhai`.
const MODULE: &str = "\n//// lib.rhai\n";

static PLUGIN: LazyLock<Folder> = LazyLock::new(|| {
    let manifest =
        "api = 1\nname = \"p\"\nkind = \"rule\"\ndescription = \"x\"\npermissions = [\"send-sms\"]\n";
    Folder::new(&[("plugin.toml", manifest)])
});

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match text.split_once(MODULE) {
        None => {
            // Far below the defaults, so that many are tried; the deadline is for a stalled machine.
            let limits = Limits { operations: 2_000, deadline: Duration::from_secs(5), ..Limits::default() };
            check_text(text, &limits).iter().for_each(|problem| judged(problem, lines(text)));
        }
        Some((main, lib)) => {
            PLUGIN.write("main.rhai", main);
            PLUGIN.write("lib.rhai", lib);
            let most = lines(main).max(lines(lib));
            check_plugin(PLUGIN.path()).iter().for_each(|problem| judged(problem, most));
        }
    }
});

/// As Rhai counts them: a carriage return alone ends one, too.
fn lines(text: &str) -> usize {
    text.split(['\n', '\r']).count()
}

fn judged(problem: &Problem, lines: usize) {
    let said = problem.to_string();
    assert_harmless(&said);
    if let Some((line, column)) = problem.at {
        assert!(line >= 1 && column >= 1 && line <= lines + 1, "{said}");
    }
}
