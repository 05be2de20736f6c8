//! What a disk holds at one instant.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::Path;

/// Files by their path from the root on, and the directories that there are.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Image {
    /// Contents of files.
    pub files: BTreeMap<String, Vec<u8>>,
    /// Directories below the root, parents before what they hold.
    pub directories: Vec<String>,
}

impl Image {
    /// A number that tells images apart.
    #[must_use]
    pub fn digest(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.hash(&mut hasher);
        hasher.finish()
    }

    /// Makes the directory `at` hold this and nothing else.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn write_to(&self, at: &Path) {
        let _ = std::fs::remove_dir_all(at);
        std::fs::create_dir_all(at).expect("a directory can be made");
        for directory in &self.directories {
            std::fs::create_dir_all(at.join(directory)).expect("a directory can be made");
        }
        for (path, content) in &self.files {
            std::fs::write(at.join(path), content).expect("a file can be written");
        }
    }

    /// Reads what lies below `at`.
    ///
    /// # Panics
    /// When it cannot be read.
    #[must_use]
    pub fn read_from(at: &Path) -> Self {
        let mut image = Self::default();
        image.read_below(at, "");
        image
    }

    fn read_below(&mut self, at: &Path, below: &str) {
        for entry in std::fs::read_dir(at).expect("a directory can be read") {
            let entry = entry.expect("a directory can be read");
            let name = entry.file_name().into_string().expect("names are UTF-8");
            let path = if below.is_empty() { name } else { format!("{below}/{name}") };
            if entry.path().is_dir() {
                self.directories.push(path.clone());
                self.read_below(&entry.path(), &path);
            } else {
                self.files.insert(path, std::fs::read(entry.path()).expect("a file can be read"));
            }
        }
    }
}
