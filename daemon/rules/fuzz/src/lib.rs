//! What the targets have in common.

pub mod grammar;
pub mod receiver;

use std::fs;
use std::path::{Path, PathBuf};

/// A folder of this process alone, which the next input writes over.
pub struct Folder(PathBuf);

impl Folder {
    /// Makes it.
    #[must_use]
    pub fn new(files: &[(&str, &str)]) -> Self {
        let path = std::env::temp_dir().join(format!("simbell-fuzz-{}", std::process::id()));
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
