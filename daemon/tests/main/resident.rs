//! What a service at work runs lies together, by daemon/resident.ld, whichever linker reads it.

use std::fs;
use std::path::Path;
use std::process::Command;

/// Functions of those names, in sections of the names that compilers give them.
const PROGRAM: &str = r#"
macro_rules! function {
    ($name:ident, $section:literal, $value:literal) => {
        #[unsafe(link_section = $section)]
        #[inline(never)]
        extern "C" fn $name(one: usize) -> usize { std::hint::black_box(one).wrapping_mul($value) }
    };
}
function!(first, ".text.simbell_resident_first", 3);
function!(runs, ".text.sqlite3_step", 5);
function!(cold, ".text.unlikely.sqlite3_step", 7);
function!(other, ".text.sqlite3_complete", 11);
function!(last, ".text.simbell_resident_last", 13);
fn main() {
    let at = |of: extern "C" fn(usize) -> usize| { of(1); of as *const () as usize };
    let within = at(first)..at(last);
    print!("{} {} {}", within.contains(&at(runs)), within.contains(&at(cold)), within.contains(&at(other)));
}
"#;

fn linked(dir: &Path, linker: &[&str]) -> String {
    let (source, program) = (dir.join("program.rs"), dir.join("program"));
    fs::write(&source, PROGRAM).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("resident.ld");
    let rustc = std::env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned());
    let built = Command::new(rustc)
        .args(["--edition", "2024", "-o"])
        .args([&program, &source])
        .args(["-C", &format!("link-arg=-Wl,-T,{}", script.display())])
        .args(linker)
        .output()
        .expect("rustc is there, as the tests were built by it");
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    String::from_utf8(Command::new(program).output().unwrap().stdout).unwrap()
}

#[test]
fn what_a_service_at_work_runs_lies_together() {
    let dir = tempfile::tempdir().unwrap();
    for linker in [&[][..], &["-C", "link-arg=-fuse-ld=bfd"]] {
        assert_eq!(linked(dir.path(), linker), "true true false", "{linker:?}");
    }
}
