//! The whole way from files to settings, and from bad files to problems.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use chrono::NaiveDate;
use secrecy::ExposeSecret;
use simbell_core::bytes::Bytes;
use simbell_core::ident::{ChannelName, Iccid, RuleName};
use simbell_core::plan::{AnchorDay, Counts, Period};
use simbell_core::time::Span;
use simbell_notify::{ChannelConfig, NtfyAuth, SmtpTls};
use tempfile::TempDir;

use super::*;

mod bad;
mod broken;
mod good;
mod secrets;

/// Found by grep in nothing that is shown.
const CANARY: &str = "canary-7f3a9d";

struct Place {
    dir: TempDir,
    env: Environment,
}

impl Place {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let credentials = dir.path().join("credentials");
        fs::create_dir(&credentials).unwrap();
        fs::create_dir(dir.path().join("conf.d")).unwrap();
        for name in ["smtp-password", "ntfy-token", "chat-login"] {
            fs::write(credentials.join(name), format!("{CANARY}\n")).unwrap();
        }
        fs::write(credentials.join("ntfy-topic"), CANARY).unwrap();
        fs::write(credentials.join("chat-url"), format!("https://chat.example.org/{CANARY}")).unwrap();
        let env = Environment {
            credentials_dir: Some(credentials),
            state_dir: None,
            runtime_dir: None,
            localtime: dir.path().join("localtime"),
            timezone: dir.path().join("timezone"),
            ..Environment::of_process()
        };
        Self { dir, env }
    }

    fn with(text: &str) -> Self {
        let place = Self::new();
        place.put("simbell.toml", text);
        place
    }

    fn put(&self, name: &str, text: &str) -> PathBuf {
        let path = self.dir.path().join(name);
        fs::write(&path, text).unwrap();
        path
    }

    fn load(&self) -> Result<Loaded, Problems> {
        load(self.dir.path(), &self.env)
    }

    /// Problems as shown, the directory left out.
    fn shown(&self) -> String {
        let text = self.load().unwrap_err().to_string();
        text.replace(&format!("{}/", self.dir.path().display()), "")
    }
}

fn problems(text: &str) -> String {
    Place::with(text).shown()
}

/// Each problem as `line:column key: message`, without the source.
fn lines(text: &str) -> Vec<String> {
    let problems = Place::with(text).load().unwrap_err();
    problems
        .list()
        .iter()
        .map(|p| {
            let (line, column) = p.position().unwrap_or_default();
            format!("{line}:{column} {}: {}", p.key(), p.message())
        })
        .collect()
}

fn iccid(text: &str) -> Iccid {
    Iccid::new(text).unwrap()
}

fn channel(name: &str) -> ChannelName {
    ChannelName::new(name).unwrap()
}

fn date(text: &str) -> NaiveDate {
    text.parse().unwrap()
}
