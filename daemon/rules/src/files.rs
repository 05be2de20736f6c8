//! Files of rules, plugins, texts and tests: each is opened once, and what is judged is what is read. Nothing else that
//! may lie under a name holds a reading up or fills memory: a pipe, a device, a file without end.

use std::fs::File;
use std::io::{Error, ErrorKind, Read as _};
use std::path::Path;

use rustix::fs::{Mode, OFlags};

use crate::compile::too_large;
use crate::limits::{Limits, limit};

/// Bytes of a file that is shown a line of, where no limit is at hand: any that a sensible limit lets run.
const MOST_SHOWN: usize = 16 << 20;

/// What a name that is a link means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Links {
    /// The file that it leads to.
    Followed,
    /// Nothing: it could lead anywhere.
    Refused,
}

/// Why a text was not read.
#[derive(Debug)]
pub enum Unread {
    /// It cannot be opened or read.
    Failed(Error),
    /// The name is a link, or something else than a regular file.
    NoFile,
    /// It is larger than was asked for.
    TooLarge,
    /// It is not UTF-8, from this byte on.
    NoText(usize),
}

/// Reads a regular file of `most` bytes at most.
///
/// # Errors
/// Why it was not read.
pub fn read_text(path: &Path, most: usize, links: Links) -> Result<String, Unread> {
    // Without NONBLOCK a pipe is waited for.
    let mut flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    flags.set(OFlags::NOFOLLOW, links == Links::Refused);
    let file = match rustix::fs::open(path, flags, Mode::empty()) {
        Ok(file) => File::from(file),
        Err(rustix::io::Errno::LOOP) if links == Links::Refused => return Err(Unread::NoFile),
        // A socket, or a device that nothing drives.
        Err(rustix::io::Errno::NXIO | rustix::io::Errno::NODEV) => return Err(Unread::NoFile),
        Err(error) => return Err(Unread::Failed(error.into())),
    };
    if !file.metadata().map_err(Unread::Failed)?.is_file() {
        return Err(Unread::NoFile);
    }
    let mut bytes = Vec::new();
    let bound = u64::try_from(most).unwrap_or(u64::MAX).saturating_add(1);
    file.take(bound).read_to_end(&mut bytes).map_err(Unread::Failed)?;
    if bytes.len() > most {
        return Err(Unread::TooLarge);
    }
    String::from_utf8(bytes).map_err(|error| Unread::NoText(error.utf8_error().valid_up_to()))
}

/// A script, a manifest or a file of texts, of the size that the limits allow.
///
/// # Errors
/// Why it was not read, with the way out.
pub(crate) fn read(path: &Path, limits: &Limits) -> Result<String, String> {
    told(read_text(path, limits.source_bytes, Links::Followed), limits)
}

/// As [`read`], of a file whose name must not be a link.
pub(crate) fn read_itself(path: &Path, limits: &Limits) -> Result<String, String> {
    told(read_text(path, limits.source_bytes, Links::Refused), limits)
}

/// As [`read`], of a file in a plugin's folder: a link in it is followed as far as the folder goes. What comes from
/// elsewhere is copied with links and all, and errors show lines of what was read.
pub(crate) fn read_within(dir: &Path, name: &str, limits: &Limits) -> Result<String, String> {
    let path = dir.join(name);
    let (Ok(real), Ok(home)) = (path.canonicalize(), dir.canonicalize()) else {
        return read(&path, limits);
    };
    if !real.starts_with(home) {
        return Err("this is a link that leads out of the plugin's folder; copy the file into it".to_owned());
    }
    // Where the way leads was judged: a link that took the file's place since is not followed.
    read_itself(&real, limits)
}

/// A file that was read before, for a line of it; none where it cannot be read any more.
pub(crate) fn read_again(path: &Path) -> Option<String> {
    read_text(path, MOST_SHOWN, Links::Followed).ok()
}

fn told(text: Result<String, Unread>, limits: &Limits) -> Result<String, String> {
    let text = text.map_err(|unread| match unread {
        Unread::TooLarge => format!("{}: {}", too_large(limits), limit("file")),
        unread => unread.to_string(),
    })?;
    // Some editors put a byte order mark in front.
    Ok(text.strip_prefix('\u{feff}').map_or_else(|| text.clone(), str::to_owned))
}

impl std::fmt::Display for Unread {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Failed(error) => {
                let way_out = match error.kind() {
                    ErrorKind::PermissionDenied => "; let whoever reads it do so",
                    ErrorKind::NotFound => "",
                    _ => "; see whether its disk is well",
                };
                write!(f, "the file cannot be read: {error}{way_out}")
            }
            Self::NoFile => write!(f, "this is not a file; put a regular file there"),
            Self::TooLarge => write!(f, "the file is too large"),
            Self::NoText(at) => write!(f, "the file is not UTF-8 text (from byte {at} on); save it as UTF-8"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn nothing_but_a_bounded_text_file_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("text"), "\u{feff}abc").unwrap();
        fs::write(at("bytes"), [b'a', 0xff]).unwrap();
        symlink("text", at("link")).unwrap();
        symlink("/dev/zero", at("zero")).unwrap();
        rustix::fs::mknodat(rustix::fs::CWD, at("pipe"), rustix::fs::FileType::Fifo, Mode::RUSR, 0).unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(at("socket")).unwrap();
        let limits = Limits { source_bytes: 6, ..Limits::default() };
        assert_eq!(read(&at("text"), &limits).unwrap(), "abc");
        assert_eq!(read(&at("link"), &limits).unwrap(), "abc");
        for (name, expected) in [
            ("pipe", "this is not a file"),
            ("zero", "this is not a file"),
            ("socket", "this is not a file"),
            ("", "this is not a file"),
            ("bytes", "not UTF-8 text (from byte 1 on)"),
            ("gone", "cannot be read"),
        ] {
            let error = read(&at(name), &limits).unwrap_err();
            assert!(error.contains(expected), "{name}: {error}");
        }
        assert!(read_itself(&at("link"), &limits).unwrap_err().contains("this is not a file"));
        fs::create_dir(at("in")).unwrap();
        symlink("../text", at("in/out")).unwrap();
        fs::write(at("in/own"), "own").unwrap();
        symlink("own", at("in/near")).unwrap();
        assert_eq!(read_within(&at("in"), "near", &limits).unwrap(), "own");
        assert!(
            read_within(&at("in"), "out", &limits).unwrap_err().contains("leads out of the plugin's folder")
        );
        assert!(read_within(&at("in"), "gone", &limits).unwrap_err().contains("cannot be read"));
        symlink("in", at("beside")).unwrap();
        assert_eq!(
            read_within(&at("beside"), "own", &limits).unwrap(),
            "own",
            "the folder itself may be a link"
        );
        let tight = Limits { source_bytes: 5, ..limits };
        let error = read(&at("text"), &tight).unwrap_err();
        assert!(error.contains("larger than 5 bytes: the limit is `file`"), "{error}");
        // A file that tells no size has one all the same.
        assert!(matches!(
            read_text(Path::new("/proc/self/maps"), 16, Links::Followed),
            Err(Unread::TooLarge)
        ));
    }
}
