//! Who may use whom: held by the packages' own dependencies.

use std::collections::BTreeMap;
use std::process::Command;

/// Normal dependencies of each package of the workspace, by name.
fn dependencies() -> BTreeMap<String, Vec<String>> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--format-version", "1", "--locked"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo runs");
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).expect("cargo metadata is JSON");
    let packages = metadata["packages"].as_array().expect("packages");
    packages
        .iter()
        .map(|package| {
            let name = package["name"].as_str().expect("a name").to_owned();
            let uses = package["dependencies"].as_array().expect("dependencies");
            let uses = uses.iter().filter(|d| d["kind"].is_null());
            (name, uses.map(|d| d["name"].as_str().expect("a name").to_owned()).collect())
        })
        .collect()
}

#[test]
fn packages_use_only_whom_they_may() {
    let all = dependencies();
    let own: Vec<&String> = all.keys().collect();
    let may: BTreeMap<&str, &[&str]> = BTreeMap::from([
        ("simbell-core", [].as_slice()),
        ("simbell-alloc", &[]),
        ("simbell-adjtimex", &[]),
        // Of tests alone: nobody below may use it.
        ("simbell-faultfs", &[]),
        ("simbell-api", &[]),
        ("simbell-modem", &["simbell-core"]),
        ("simbell-store", &["simbell-core"]),
        ("simbell-notify", &["simbell-core"]),
        ("simbell-rules", &["simbell-core", "simbell-alloc"]),
        ("simbell-quota", &[]),
        ("simbell-modemsim", &["simbell-core"]),
        ("simbellctl", &["simbell-api"]),
        (
            "simbelld",
            &[
                "simbell-adjtimex",
                "simbell-alloc",
                "simbell-api",
                "simbell-core",
                "simbell-modem",
                "simbell-notify",
                "simbell-quota",
                "simbell-rules",
                "simbell-store",
            ],
        ),
    ]);
    for (package, uses) in &all {
        let allowed = may.get(package.as_str()).unwrap_or_else(|| panic!("say here whom {package} may use"));
        for used in uses.iter().filter(|used| own.contains(used)) {
            assert!(allowed.contains(&used.as_str()), "{package} must not use {used}");
        }
    }
}

#[test]
fn the_core_is_pure() {
    let core = &dependencies()["simbell-core"];
    for impure in ["tokio", "zbus", "rusqlite", "rhai", "hyper", "rustix", "libc", "tracing"] {
        assert!(!core.iter().any(|used| used == impure), "simbell-core must not use {impure}");
    }
}
