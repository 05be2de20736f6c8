//! What the targets have in common.

pub mod grammar;
pub mod receiver;
pub mod secrets;

use std::fs;
use std::path::{Path, PathBuf};

/// How names of the folders begin; a process's number follows.
const FOLDER: &str = "simbell-fuzz-";

/// A folder of this process alone, which the next input writes over.
pub struct Folder(PathBuf);

impl Folder {
    /// Makes it, and removes those that processes left which are gone: libFuzzer ends its process without a word.
    #[must_use]
    pub fn new(files: &[(&str, &str)]) -> Self {
        let parent = std::env::temp_dir();
        for entry in fs::read_dir(&parent).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let id = name.to_str().and_then(|name| name.strip_prefix(FOLDER)?.parse::<u32>().ok());
            if id.is_some_and(|id| !Path::new("/proc").join(id.to_string()).exists()) {
                // Another one that begins may be faster.
                let _ = fs::remove_dir_all(entry.path());
            }
        }
        let path = parent.join(format!("{FOLDER}{}", std::process::id()));
        fs::create_dir_all(&path).expect("the temporary folder can be made");
        let folder = Self(path);
        files.iter().for_each(|(name, text)| folder.write(name, text));
        folder
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Writes one of its files.
    pub fn write(&self, name: &str, text: &str) {
        fs::write(self.0.join(name), text).expect("the file can be written");
    }
}

/// Text for people is bounded, and without control characters.
pub fn assert_harmless(said: &str) {
    assert!(said.len() < 8_000, "{} bytes", said.len());
    assert!(!said.chars().any(|c| c.is_control() && c != '\n' && c != '\t'), "{said:?}");
    assert!(!said.contains("panicked"), "{said}");
}
