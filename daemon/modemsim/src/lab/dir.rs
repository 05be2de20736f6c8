//! The lab's directory.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use super::error::LabError;

/// The lab's directory, removed when dropped.
#[derive(Debug)]
pub(super) struct Dir(PathBuf);

static LABS: AtomicU32 = AtomicU32::new(0);

impl Dir {
    pub fn new() -> Result<Self, LabError> {
        let base = std::env::temp_dir();
        sweep(&base);
        let number = LABS.fetch_add(1, Ordering::Relaxed);
        let path = base.join(format!("simbell-lab-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&path).map_err(|source| LabError::File { path: path.clone(), source })?;
        // /tmp may be a link; ModemManager resolves the paths it gives as Device.
        let path = path.canonicalize().map_err(|source| LabError::File { path, source })?;
        Ok(Self(path))
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    pub fn name(&self) -> String {
        self.0.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Removes directories of labs whose process was killed.
fn sweep(base: &Path) {
    let Ok(entries) = std::fs::read_dir(base) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let Some(rest) = name.strip_prefix("simbell-lab-") else { continue };
        let owner = rest.split('-').next().unwrap_or_default();
        if !owner.is_empty() && !Path::new("/proc").join(owner).exists() {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}
