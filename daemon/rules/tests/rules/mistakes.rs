//! The usual mistakes: for each of `tests/mistakes/NAME.rhai`, a plugin's where `NAME.toml` is beside it, `NAME.txt` has
//! what `rules check` says. `SIMBELL_WRITE=1` writes those anew.

use std::path::PathBuf;
use std::{env, fs};

use simbell_rules::{check_file, check_plugin};

use crate::inputs::Folder;

fn corpus() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/mistakes")
}

/// What is said of one, with the folder's name taken out.
fn said(name: &str) -> String {
    let text = fs::read_to_string(corpus().join(format!("{name}.rhai"))).expect("a rule");
    let folder = Folder::new();
    let problems = match fs::read_to_string(corpus().join(format!("{name}.toml"))) {
        Ok(manifest) => {
            folder.write(&format!("{name}/plugin.toml"), &manifest);
            folder.write(&format!("{name}/main.rhai"), &text);
            check_plugin(&folder.path().join(name))
        }
        Err(_) => check_file(&folder.write(&format!("{name}.rhai"), &text)),
    };
    let shown: Vec<String> = problems.iter().map(|problem| format!("{problem}\n")).collect();
    shown.join("\n").replace(&format!("{}/", folder.path().display()), "")
}

#[test]
fn each_usual_mistake_is_met_with_place_cause_and_way_out() {
    let mut names: Vec<String> = fs::read_dir(corpus())
        .expect("the corpus")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "rhai"))
        .map(|path| path.file_stem().expect("a name").to_string_lossy().into_owned())
        .collect();
    names.sort();
    assert!(names.len() >= 30, "only {}", names.len());
    let mut failures = Vec::new();
    for name in &names {
        let given = said(name);
        let path = corpus().join(format!("{name}.txt"));
        if env::var_os("SIMBELL_WRITE").is_some() {
            fs::write(&path, &given).expect("written");
        }
        let expected = fs::read_to_string(&path).unwrap_or_default();
        if given != expected || given.is_empty() {
            failures.push(format!("{name}: it says:\n{given}\nexpected:\n{expected}"));
        } else if !given.contains("hint: ")
            || !(given.contains('^') || name == "no-hook" || name == "file-that-is-empty")
        {
            failures.push(format!("{name}: no place, or no way out:\n{given}"));
        }
    }
    assert!(failures.is_empty(), "{} of {} failed:\n{}", failures.len(), names.len(), failures.join("\n"));
}
