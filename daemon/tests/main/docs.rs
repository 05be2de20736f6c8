//! The documents are run: configuration and rules are checked, commands are executed against a simulated modem.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const SIMBELLD: &str = env!("CARGO_BIN_EXE_simbelld");

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the daemon lives in the repository").to_owned()
}

/// One fenced block of a document.
struct Block {
    language: String,
    place: String,
    text: String,
}

/// Blocks of a document; one that a comment `<!-- not run by the tests: REASON -->` precedes is left out.
fn blocks(document: &str) -> Vec<Block> {
    let path = root().join(document);
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut blocks = Vec::new();
    let mut open: Option<Block> = None;
    let mut left_out = false;
    for (number, line) in text.lines().enumerate() {
        match (&mut open, line.strip_prefix("```")) {
            (Some(_), Some(_)) => {
                let block = open.take().expect("it is open");
                if !std::mem::take(&mut left_out) {
                    blocks.push(block);
                }
            }
            (Some(block), None) => {
                block.text.push_str(line);
                block.text.push('\n');
            }
            (None, Some(language)) => {
                let place = format!("{document}:{}", number + 1);
                open = Some(Block { language: language.trim().to_owned(), place, text: String::new() });
            }
            (None, None) if line.starts_with("<!-- not run by the tests:") => left_out = true,
            (None, None) => {}
        }
    }
    blocks
}

fn documents_of(kind: &str) -> Vec<String> {
    let mut found: Vec<String> = fs::read_dir(root().join("plugins").join(kind))
        .expect("plugins are there")
        .map(|entry| format!("plugins/{kind}/{}/README.md", entry.expect("an entry").file_name().display()))
        .collect();
    found.sort();
    found
}

fn check(arguments: &[&str], file: &Path) -> Result<(), String> {
    let output =
        Command::new(SIMBELLD).arg("check").args(arguments).arg(file).output().expect("simbelld runs");
    if output.status.success() {
        return Ok(());
    }
    Err(format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr)))
}

#[test]
fn configuration_and_rules_in_the_documents_are_good() {
    let folder = tempfile::tempdir().expect("a directory for the test");
    let dir = folder.path();
    let mut seen = 0;
    let documents = ["README.md", "daemon/README.md"].map(str::to_owned);
    for document in documents.into_iter().chain(documents_of("rules")).chain(documents_of("channels")) {
        for block in blocks(&document) {
            let (name, arguments): (&str, &[&str]) = match block.language.as_str() {
                "toml" => ("simbell.toml", &["--only", "config", "--config"]),
                "rhai" => ("rule.rhai", &["--rules"]),
                _ => continue,
            };
            let file = dir.join(name);
            let of_channel = document.starts_with("plugins/channels") && block.language == "toml";
            let shipped = format!("rules.plugin_dirs = [{:?}]\n", root().join("plugins"));
            let shipped = if of_channel { shipped } else { String::new() };
            fs::write(&file, format!("{shipped}{}", block.text)).expect("the block is written");
            if let Err(said) = check(arguments, &file) {
                panic!("{}:\n{said}", block.place);
            }
            seen += 1;
        }
    }
    assert!(seen >= 5, "only {seen} blocks were found: is the documents' form still understood?");
}

#[test]
fn a_configuration_for_trying_has_the_shipped_rules() {
    let folder = tempfile::tempdir().expect("a directory for the test");
    let dir = folder.path();
    std::os::unix::fs::symlink(root().join("plugins"), dir.join("plugins")).expect("a link");
    let mine = dir.join("mine");
    fs::create_dir(&mine).expect("a directory for the configuration");
    for document in ["README.md", "plugins/README.md"] {
        let trying: Vec<Block> =
            blocks(document).into_iter().filter(|block| block.text.contains("plugin_dirs")).collect();
        let [block] = trying.as_slice() else { panic!("{document} has {} of it", trying.len()) };
        fs::write(mine.join("simbell.toml"), &block.text).expect("the block is written");
        let output = Command::new(SIMBELLD).args(["check", "--config"]).arg(&mine).output();
        let output = output.expect("simbelld runs");
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success() && said.ends_with("rules: no errors\n"), "{}: {said}", block.place);
        assert!(!said.contains(" 0 rules"), "{}: {said}", block.place);
    }
}

#[test]
fn commands_in_the_documents_work() {
    let folder = tempfile::tempdir().expect("a directory for the test");
    let dir = folder.path();
    let service = Service::start(dir);
    let bin = dir.join("bin");
    fs::create_dir(&bin).expect("a directory for the program");
    let ctl = Path::new(SIMBELLD).with_file_name("simbellctl");
    assert!(ctl.exists(), "build the programs first: cargo build --workspace --bins");
    let wrapper = format!("#!/bin/sh\nexec {} --socket {} \"$@\"\n", ctl.display(), service.socket.display());
    let plain = dir.join("wrapper");
    fs::write(&plain, wrapper).expect("the wrapper is written");
    // Not by this process: what it has open for writing, so may have what another test starts just now.
    let mut install = Command::new("install");
    let made = install.args(["-m", "755"]).arg(&plain).arg(bin.join("simbellctl")).status();
    assert!(made.is_ok_and(|made| made.success()), "it is made executable");
    let path = format!(
        "{}:{}:{}",
        bin.display(),
        Path::new(SIMBELLD).parent().expect("a directory").display(),
        std::env::var("PATH").unwrap_or_default()
    );
    let mut seen = 0;
    for block in ["README.md", "daemon/README.md"].into_iter().flat_map(blocks) {
        if block.language != "sh" {
            continue;
        }
        let output = Command::new("bash")
            .args(["-eu", "-c", &block.text])
            .current_dir(root())
            .env("PATH", &path)
            .env("USER", "root")
            .stdin(Stdio::null())
            .output()
            .expect("bash runs");
        assert!(
            output.status.success(),
            "{} failed:\n{}{}",
            block.place,
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        seen += 1;
    }
    assert!(seen >= 5, "only {seen} blocks were found: is the documents' form still understood?");
    drop(service);
}

/// The service against the demonstration's modem, with the SIM that the documents call home.
struct Service {
    child: Child,
    socket: PathBuf,
}

impl Service {
    fn start(dir: &Path) -> Self {
        let config = dir.join("config");
        fs::create_dir_all(config.join("rules.d")).expect("a directory for the configuration");
        let text = "[service]\nclock = \"plausible\"\n[sims.home]\niccid = \"8900100000000000017\"\n\
                    [sims.home.plan]\nname = \"1 GB\"\ndata = \"1GB\"\nevery = \"month\"\nday = 1\n";
        let plugins = format!("[rules]\nplugin_dirs = [\"{}\"]\n", root().join("plugins/rules").display());
        fs::write(config.join("simbell.toml"), format!("{text}{plugins}"))
            .expect("the configuration is written");
        let socket = dir.join("control.sock");
        let child = Command::new(SIMBELLD)
            .arg("--config")
            .arg(&config)
            .arg("--state-dir")
            .arg(dir.join("state"))
            .arg("--socket")
            .arg(&socket)
            .arg("--simulate")
            .arg(root().join("daemon/modemsim/scenarios/demo.toml"))
            .stderr(Stdio::null())
            .spawn()
            .expect("simbelld runs");
        let service = Self { child, socket };
        let ctl = Path::new(SIMBELLD).with_file_name("simbellctl");
        let until = Instant::now() + Duration::from_secs(30);
        loop {
            let output =
                Command::new(&ctl).arg("--socket").arg(&service.socket).args(["--json", "sims"]).output();
            let text = output.map(|o| String::from_utf8_lossy(&o.stdout).into_owned()).unwrap_or_default();
            if text.contains("\"active\":true") {
                return service;
            }
            assert!(Instant::now() < until, "no SIM showed within 30 seconds; last answer: {text}");
            std::thread::yield_now();
        }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
