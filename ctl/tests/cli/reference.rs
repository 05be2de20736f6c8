//! What is handed out with the program is what the program says: its help, completions and manual pages.
//!
//! Run with `SIMBELL_WRITE=1` to write the files anew after a change.

use super::*;

pub fn compare(path: &Path, ours: &str) {
    if std::env::var_os("SIMBELL_WRITE").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, ours).unwrap();
    }
    let theirs = std::fs::read_to_string(path)
        .unwrap_or_else(|error| panic!("{}: {error}; write it with SIMBELL_WRITE=1", path.display()));
    assert!(ours == theirs, "{} is not what the program says; write it with SIMBELL_WRITE=1", path.display());
}

pub fn project(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

/// `--help` of every verb, one after another.
fn help(socket: &Path, verbs: &[String], out: &mut String) {
    let mut args: Vec<&str> = verbs.iter().map(String::as_str).collect();
    args.push("--help");
    let said = good(socket, &args);
    out.push_str(&format!("$ simbellctl {}\n{said}\n", args.join(" ")));
    let listed = said.split("Commands:\n").nth(1).unwrap_or("");
    for line in listed.lines().take_while(|line| line.starts_with("  ")) {
        let Some(verb) = line.strip_prefix("  ").filter(|rest| !rest.starts_with(' ')) else { continue };
        let verb = verb.split(' ').next().unwrap();
        if verb != "help" {
            help(socket, &[verbs, &[verb.to_owned()]].concat(), out);
        }
    }
}

#[test]
fn the_help_of_every_verb() {
    let mut all = String::new();
    help(Path::new(simbell_api::SOCKET_PATH), &[], &mut all);
    assert!(all.contains("$ simbellctl reminders snooze --help"), "{all}");
    compare(&project("ctl/tests/cli/help.txt"), &all);
}

#[test]
fn the_completions() {
    let scratch = Scratch::new();
    for (shell, file) in [("bash", "simbellctl.bash"), ("zsh", "_simbellctl"), ("fish", "simbellctl.fish")] {
        let script = good(&scratch.socket(), &["completions", shell]);
        assert!(script.contains("snooze"), "{script}");
        compare(&project("contrib/completions").join(file), &script);
    }
}

#[test]
fn the_manual_pages() {
    let scratch = Scratch::new();
    good(&scratch.socket(), &["man", "--dir", scratch.path().to_str().unwrap()]);
    let mut pages = 0;
    for entry in std::fs::read_dir(scratch.path()).unwrap() {
        let entry = entry.unwrap();
        let text = std::fs::read_to_string(entry.path()).unwrap();
        compare(&project("contrib/man").join(entry.file_name()), &text);
        pages += 1;
    }
    assert_eq!(
        pages,
        std::fs::read_dir(project("contrib/man"))
            .unwrap()
            .filter(|page| { page.as_ref().unwrap().file_name().to_string_lossy().starts_with("simbellctl") })
            .count(),
        "a page of a verb that is gone is left in contrib/man"
    );
    assert!(pages > 10);
    assert!(good(&scratch.socket(), &["man"]).contains(".TH simbellctl 1"));
}
