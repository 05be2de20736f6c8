//! What the file system shows.

use std::collections::BTreeMap;

use rustix::io::Errno;

use crate::op::Ino;

pub(crate) const ROOT: Ino = 1;

#[derive(Debug)]
pub(crate) enum Content {
    File(Vec<u8>),
    Dir(BTreeMap<String, Ino>),
}

#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) content: Content,
    pub(crate) mode: u32,
    /// From the root on, for the test.
    pub(crate) path: String,
    /// Counts changes; shown as the time of the last one.
    pub(crate) changed: u64,
}

/// Nodes are kept for good: a test makes few, and a name may be removed from a file that is open.
#[derive(Debug)]
pub(crate) struct Tree {
    nodes: BTreeMap<Ino, Node>,
    next: Ino,
    clock: u64,
}

impl Tree {
    pub(crate) fn new() -> Self {
        let root =
            Node { content: Content::Dir(BTreeMap::new()), mode: 0o700, path: String::new(), changed: 0 };
        Self { nodes: BTreeMap::from([(ROOT, root)]), next: ROOT + 1, clock: 0 }
    }

    pub(crate) fn node(&self, ino: Ino) -> Result<&Node, Errno> {
        self.nodes.get(&ino).ok_or(Errno::STALE)
    }

    pub(crate) fn touch(&mut self, ino: Ino) -> Result<&mut Node, Errno> {
        self.clock += 1;
        let node = self.nodes.get_mut(&ino).ok_or(Errno::STALE)?;
        node.changed = self.clock;
        Ok(node)
    }

    pub(crate) fn set_mode(&mut self, ino: Ino, mode: u32) {
        if let Some(node) = self.nodes.get_mut(&ino) {
            node.mode = mode & 0o7777;
        }
    }

    pub(crate) fn entries(&self, dir: Ino) -> Result<&BTreeMap<String, Ino>, Errno> {
        match &self.node(dir)?.content {
            Content::Dir(entries) => Ok(entries),
            Content::File(_) => Err(Errno::NOTDIR),
        }
    }

    fn entries_mut(&mut self, dir: Ino) -> Result<&mut BTreeMap<String, Ino>, Errno> {
        match &mut self.touch(dir)?.content {
            Content::Dir(entries) => Ok(entries),
            Content::File(_) => Err(Errno::NOTDIR),
        }
    }

    pub(crate) fn bytes(&self, ino: Ino) -> Result<&Vec<u8>, Errno> {
        match &self.node(ino)?.content {
            Content::File(bytes) => Ok(bytes),
            Content::Dir(_) => Err(Errno::ISDIR),
        }
    }

    pub(crate) fn bytes_mut(&mut self, ino: Ino) -> Result<&mut Vec<u8>, Errno> {
        match &mut self.touch(ino)?.content {
            Content::File(bytes) => Ok(bytes),
            Content::Dir(_) => Err(Errno::ISDIR),
        }
    }

    pub(crate) fn find(&self, dir: Ino, name: &str) -> Result<Ino, Errno> {
        self.entries(dir)?.get(name).copied().ok_or(Errno::NOENT)
    }

    /// The path that `name` in `dir` has or would have.
    pub(crate) fn path(&self, dir: Ino, name: &str) -> Result<String, Errno> {
        let parent = &self.node(dir)?.path;
        Ok(if parent.is_empty() { name.to_owned() } else { format!("{parent}/{name}") })
    }

    pub(crate) fn create(&mut self, dir: Ino, name: &str, mode: u32, directory: bool) -> Result<Ino, Errno> {
        if self.find(dir, name).is_ok() {
            return Err(Errno::EXIST);
        }
        let path = self.path(dir, name)?;
        let ino = self.next;
        self.next += 1;
        self.entries_mut(dir)?.insert(name.to_owned(), ino);
        let content = if directory { Content::Dir(BTreeMap::new()) } else { Content::File(Vec::new()) };
        self.nodes.insert(ino, Node { content, mode: mode & 0o7777, path, changed: self.clock });
        Ok(ino)
    }

    pub(crate) fn unlink(&mut self, dir: Ino, name: &str) -> Result<(), Errno> {
        let ino = self.find(dir, name)?;
        if self.entries(ino).is_ok_and(|entries| !entries.is_empty()) {
            return Err(Errno::NOTEMPTY);
        }
        self.entries_mut(dir)?.remove(name);
        Ok(())
    }

    pub(crate) fn rename(&mut self, dir: Ino, name: &str, to_dir: Ino, to: &str) -> Result<(), Errno> {
        let ino = self.find(dir, name)?;
        let path = self.path(to_dir, to)?;
        self.entries_mut(dir)?.remove(name);
        self.entries_mut(to_dir)?.insert(to.to_owned(), ino);
        self.touch(ino)?.path = path;
        Ok(())
    }
}

/// Puts `data` at `offset`; a hole is zeros.
pub(crate) fn write_at(bytes: &mut Vec<u8>, offset: usize, data: &[u8]) {
    let end = offset + data.len();
    if bytes.len() < end {
        bytes.resize(end, 0);
    }
    bytes[offset..end].copy_from_slice(data);
}
