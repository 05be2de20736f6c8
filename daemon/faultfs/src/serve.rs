//! The file system, served.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::Duration;

use rustix::io::Errno;

use crate::op::{Ino, Kind, Op, Request, Verdict};
use crate::tree::{Tree, write_at};
use crate::wire::{Answer, Head, MOST_WRITTEN, Message};

type Judge = Box<dyn FnMut(&Request) -> Verdict + Send>;

/// A file system in memory, mounted until it is dropped.
pub struct FaultFs {
    at: PathBuf,
    shared: Arc<Shared>,
    server: Option<JoinHandle<()>>,
}

struct Shared {
    inner: Mutex<Inner>,
    moved: Condvar,
}

struct Inner {
    tree: Tree,
    log: Vec<Op>,
    judge: Judge,
    held: Option<Request>,
    released: Option<Verdict>,
}

impl FaultFs {
    /// Mounts an empty one on the directory `at`.
    ///
    /// # Panics
    /// When it cannot be mounted: `/dev/fuse`, `mount` and root are needed (root of a user namespace will do).
    #[must_use]
    pub fn mount(at: &Path) -> Self {
        let device = OpenOptions::new()
            .read(true)
            .write(true)
            .open("/dev/fuse")
            .expect("/dev/fuse is needed: load the module fuse");
        let output = Command::new("mount")
            .args(["-i", "-t", "fuse", "-o", "fd=0,rootmode=40000,user_id=0,group_id=0", "faultfs"])
            .arg(at)
            .stdin(Stdio::from(device.try_clone().expect("a file can be shared")))
            .output()
            .expect("install util-linux: mount is missing");
        assert!(
            output.status.success(),
            "root is needed to mount: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        let inner = Inner {
            tree: Tree::new(),
            log: Vec::new(),
            judge: Box::new(|_| Verdict::Pass),
            held: None,
            released: None,
        };
        let shared = Arc::new(Shared { inner: Mutex::new(inner), moved: Condvar::new() });
        let server = std::thread::spawn({
            let shared = Arc::clone(&shared);
            move || serve(device, &shared)
        });
        Self { at: at.to_owned(), shared, server: Some(server) }
    }

    /// Where it is mounted.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.at
    }

    /// From now on `judge` says what becomes of each request.
    pub fn on_each(&self, judge: impl FnMut(&Request) -> Verdict + Send + 'static) {
        self.shared.lock().judge = Box::new(judge);
    }

    /// From now on everything is done as asked.
    pub fn heal(&self) {
        self.on_each(|_| Verdict::Pass);
    }

    /// Writes a mark into the log.
    pub fn mark(&self, mark: u64) {
        self.shared.lock().log.push(Op::Mark(mark));
    }

    /// Everything done so far.
    #[must_use]
    pub fn log(&self) -> Vec<Op> {
        self.shared.lock().log.clone()
    }

    /// Waits until a request is held ([`Verdict::Hold`]): which one. None after `patience`.
    #[must_use]
    pub fn wait_until_held(&self, patience: Duration) -> Option<Request> {
        let inner = self.shared.lock();
        let wait = self.shared.moved.wait_timeout_while(inner, patience, |inner| inner.held.is_none());
        wait.expect("the server lives").0.held.clone()
    }

    /// Lets the held request go on, or the next one that is to be held.
    pub fn release(&self, verdict: Verdict) {
        self.shared.lock().released = Some(verdict);
        self.shared.moved.notify_all();
    }
}

impl Drop for FaultFs {
    fn drop(&mut self) {
        self.heal();
        self.release(Verdict::Pass);
        let umount = Command::new("umount").arg("--lazy").arg(&self.at).stderr(Stdio::null()).status();
        // It ends once nobody has a file of it open, which a test that failed may leave behind.
        if umount.is_ok_and(|status| status.success())
            && let Some(server) = self.server.take()
            && server.is_finished()
        {
            let _ = server.join();
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().expect("no test panics while it holds the file system")
    }

    /// What becomes of a request; waits where it is held.
    fn judge<'a>(
        &'a self,
        mut inner: MutexGuard<'a, Inner>,
        request: Request,
    ) -> (MutexGuard<'a, Inner>, Verdict) {
        let verdict = (inner.judge)(&request);
        if verdict != Verdict::Hold {
            return (inner, verdict);
        }
        inner.held = Some(request);
        self.moved.notify_all();
        let waited = self.moved.wait_while(inner, |inner| inner.released.is_none());
        let mut inner = waited.expect("no test panics while it holds the file system");
        inner.held = None;
        let verdict = inner.released.take().unwrap_or(Verdict::Pass);
        (inner, verdict)
    }
}

fn serve(mut device: File, shared: &Shared) {
    let mut buffer = vec![0; usize::try_from(MOST_WRITTEN).expect("it fits") + 8192];
    loop {
        let read = match device.read(&mut buffer) {
            Ok(read) => read,
            // A request was taken back before it was read.
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(error) if error.raw_os_error() == Some(Errno::NOENT.raw_os_error()) => continue,
            // It was unmounted.
            Err(_) => return,
        };
        let (head, message) = Message::begin(&buffer[..read]);
        if let Some(answer) = answer(shared, head, message) {
            // Whoever asked may be gone by now.
            let _ = device.write_all(&Answer::message(head.unique, answer));
        }
    }
}

fn answer(shared: &Shared, head: Head, mut message: Message<'_>) -> Option<Result<Answer, Errno>> {
    let ino = head.node;
    Some(match head.opcode {
        // FORGET, INTERRUPT, BATCH_FORGET: told, not asked.
        2 | 36 | 42 => return None,
        26 => Ok(Answer::init()),
        1 => message.name().and_then(|name| shared.lock().look_up(ino, &name)),
        3 => shared.lock().attributes(ino),
        4 => shared.set_attributes(ino, message),
        9 => {
            let (mode, _) = (message.u32(), message.u32());
            message.name().and_then(|name| shared.create(ino, &name, mode, true, false))
        }
        8 => {
            let mode = message.u32();
            message.skip(12);
            message.name().and_then(|name| shared.create(ino, &name, mode, false, false))
        }
        35 => {
            let (_, mode) = (message.u32(), message.u32());
            message.skip(8);
            message.name().and_then(|name| shared.create(ino, &name, mode, false, true))
        }
        10 | 11 => message.name().and_then(|name| shared.unlink(ino, &name)),
        12 => {
            let to_dir = message.u64();
            shared.rename(ino, to_dir, message)
        }
        45 => {
            let to_dir = message.u64();
            // RENAME_NOREPLACE and RENAME_EXCHANGE are asked for by nobody here.
            if message.u64() == 0 { shared.rename(ino, to_dir, message) } else { Err(Errno::INVAL) }
        }
        14 => shared.open(ino, message.u32()),
        15 => shared.read(ino, message),
        16 => shared.write(ino, message),
        17 => Ok(Answer::default()
            .u64(1 << 20)
            .u64(1 << 19)
            .u64(1 << 19)
            .zeros(16)
            .u32(512)
            .u32(255)
            .u32(512)
            .zeros(28)),
        20 => shared.sync(ino, Kind::Sync),
        30 => shared.sync(ino, Kind::SyncDir),
        27 => Ok(Answer::default().u64(0).u32(0).u32(0)),
        28 => {
            message.skip(8);
            let (from, most) = (message.length(), message.u32());
            shared.lock().list(ino, from, most)
        }
        43 => shared.reserve(ino, message),
        // RELEASE, RELEASEDIR, DESTROY
        18 | 29 | 38 => Ok(Answer::default()),
        // Among them FLUSH: waited for at the end of this very process, it would never end.
        _ => Err(Errno::NOSYS),
    })
}

/// What a verdict means for anything but a write or a sync.
fn permitted(verdict: Verdict) -> Result<(), Errno> {
    match verdict {
        Verdict::Fail(error) | Verdict::Forget(error) => Err(error),
        _ => Ok(()),
    }
}

impl Inner {
    fn request(&self, kind: Kind, ino: Ino, end: usize) -> Result<Request, Errno> {
        let path = self.tree.node(ino)?.path.clone();
        let size = self.tree.bytes(ino).map_or(0, Vec::len);
        Ok(Request { kind, path, for_writing: false, size, end })
    }

    fn look_up(&self, dir: Ino, name: &str) -> Result<Answer, Errno> {
        let ino = self.tree.find(dir, name)?;
        Ok(Answer::default().entry(ino, self.tree.node(ino)?))
    }

    fn attributes(&self, ino: Ino) -> Result<Answer, Errno> {
        Ok(Answer::default().zeros(16).attributes(ino, self.tree.node(ino)?))
    }

    fn list(&self, dir: Ino, from: usize, most: u32) -> Result<Answer, Errno> {
        let most = usize::try_from(most).expect("it fits");
        let mut out = Answer::default();
        for (place, (name, ino)) in self.tree.entries(dir)?.iter().enumerate().skip(from) {
            let one = Answer::default().dirent(*ino, place + 1, name, self.tree.entries(*ino).is_ok());
            if out.0.len() + one.0.len() > most {
                break;
            }
            out = out.bytes(&one.0);
        }
        Ok(out)
    }
}

impl Shared {
    fn set_attributes(&self, ino: Ino, mut message: Message<'_>) -> Result<Answer, Errno> {
        const MODE: u32 = 1;
        const SIZE: u32 = 1 << 3;
        let valid = message.u32();
        message.skip(12);
        let size = message.length();
        message.skip(44);
        let mode = message.u32();
        let mut inner = self.lock();
        if valid & SIZE != 0 {
            let request = inner.request(Kind::Resize, ino, size)?;
            let verdict;
            (inner, verdict) = self.judge(inner, request);
            permitted(verdict)?;
            inner.tree.bytes_mut(ino)?.resize(size, 0);
            inner.log.push(Op::Resize { ino, size });
        }
        if valid & MODE != 0 {
            inner.tree.set_mode(ino, mode);
        }
        inner.attributes(ino)
    }

    fn create(&self, dir: Ino, name: &str, mode: u32, directory: bool, open: bool) -> Result<Answer, Errno> {
        let inner = self.lock();
        let path = inner.tree.path(dir, name)?;
        let request = Request { kind: Kind::Create, path, for_writing: true, size: 0, end: 0 };
        let (mut inner, verdict) = self.judge(inner, request);
        permitted(verdict)?;
        let ino = inner.tree.create(dir, name, mode, directory)?;
        inner.log.push(Op::Create { dir, name: name.to_owned(), ino, directory });
        let entry = Answer::default().entry(ino, inner.tree.node(ino)?);
        Ok(if open { entry.opened() } else { entry })
    }

    fn unlink(&self, dir: Ino, name: &str) -> Result<Answer, Errno> {
        let inner = self.lock();
        let request = inner.request(Kind::Unlink, inner.tree.find(dir, name)?, 0)?;
        let (mut inner, verdict) = self.judge(inner, request);
        permitted(verdict)?;
        inner.tree.unlink(dir, name)?;
        inner.log.push(Op::Unlink { dir, name: name.to_owned() });
        Ok(Answer::default())
    }

    fn rename(&self, dir: Ino, to_dir: Ino, mut message: Message<'_>) -> Result<Answer, Errno> {
        let (name, to) = (message.name()?, message.name()?);
        let inner = self.lock();
        let request = inner.request(Kind::Rename, inner.tree.find(dir, &name)?, 0)?;
        let (mut inner, verdict) = self.judge(inner, request);
        permitted(verdict)?;
        inner.tree.rename(dir, &name, to_dir, &to)?;
        inner.log.push(Op::Rename { dir, name, to_dir, to });
        Ok(Answer::default())
    }

    fn open(&self, ino: Ino, flags: u32) -> Result<Answer, Errno> {
        const ACCESS_MODE: u32 = 3;
        let inner = self.lock();
        let request = Request { for_writing: flags & ACCESS_MODE != 0, ..inner.request(Kind::Open, ino, 0)? };
        permitted(self.judge(inner, request).1)?;
        Ok(Answer::default().opened())
    }

    fn read(&self, ino: Ino, mut message: Message<'_>) -> Result<Answer, Errno> {
        message.skip(8);
        let (offset, size) = (message.length(), usize::try_from(message.u32()).expect("it fits"));
        let inner = self.lock();
        let request = inner.request(Kind::Read, ino, 0)?;
        let (inner, verdict) = self.judge(inner, request);
        permitted(verdict)?;
        let bytes = inner.tree.bytes(ino)?;
        let from = offset.min(bytes.len());
        Ok(Answer::default().bytes(&bytes[from..(from + size).min(bytes.len())]))
    }

    fn write(&self, ino: Ino, mut message: Message<'_>) -> Result<Answer, Errno> {
        message.skip(8);
        let offset = message.length();
        message.skip(24);
        let mut data = message.rest();
        let inner = self.lock();
        let request = inner.request(Kind::Write, ino, offset + data.len())?;
        let (mut inner, verdict) = self.judge(inner, request);
        permitted(verdict)?;
        if let Verdict::Short(taken) = verdict {
            data = &data[..taken.min(data.len())];
        }
        write_at(inner.tree.bytes_mut(ino)?, offset, data);
        inner.log.push(Op::Write { ino, offset, data: data.to_vec() });
        Ok(Answer::default().u32(u32::try_from(data.len()).expect("it fits")).u32(0))
    }

    fn sync(&self, ino: Ino, kind: Kind) -> Result<Answer, Errno> {
        let inner = self.lock();
        let request = inner.request(kind, ino, 0)?;
        let (mut inner, verdict) = self.judge(inner, request);
        match verdict {
            Verdict::Fail(error) => return Err(error),
            Verdict::Forget(error) => {
                inner.log.push(Op::Forget(ino));
                return Err(error);
            }
            Verdict::Lie => {}
            _ => inner.log.push(if kind == Kind::Sync { Op::Sync(ino) } else { Op::SyncDir(ino) }),
        }
        Ok(Answer::default())
    }

    fn reserve(&self, ino: Ino, mut message: Message<'_>) -> Result<Answer, Errno> {
        message.skip(8);
        let (offset, length, mode) = (message.length(), message.length(), message.u32());
        if mode != 0 {
            return Err(Errno::OPNOTSUPP);
        }
        let end = offset + length;
        let inner = self.lock();
        let request = inner.request(Kind::Reserve, ino, end)?;
        let (mut inner, verdict) = self.judge(inner, request);
        permitted(verdict)?;
        if inner.tree.bytes(ino)?.len() < end {
            inner.tree.bytes_mut(ino)?.resize(end, 0);
            inner.log.push(Op::Resize { ino, size: end });
        }
        Ok(Answer::default())
    }
}
