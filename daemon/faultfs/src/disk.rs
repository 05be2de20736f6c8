//! What is on the disk for certain, what may be, and what a power cut can make of it.

use std::collections::{BTreeMap, BTreeSet};

use crate::image::Image;
use crate::op::{Ino, Op};
use crate::tree::{ROOT, write_at};

/// What the disk writes whole, or tears.
const SECTOR: usize = 512;

/// A disk as it is after a number of operations.
#[derive(Debug, Clone, Default)]
pub struct Disk {
    files: BTreeMap<Ino, Extent>,
    /// Names that are there for certain, by directory.
    names: BTreeMap<Ino, BTreeMap<String, Ino>>,
    unsynced_names: Vec<(usize, Op)>,
    /// Counts operations, to tell which came first.
    clock: usize,
}

/// A file's bytes.
#[derive(Debug, Clone, Default)]
struct Extent {
    /// There for certain.
    synced: Vec<u8>,
    /// Written since, oldest first.
    unsynced: Vec<(usize, Edit)>,
}

#[derive(Debug, Clone)]
enum Edit {
    Write { offset: usize, data: Vec<u8> },
    Resize(usize),
}

/// How many images of one instant are wanted.
#[derive(Debug, Clone, Copy)]
pub struct Cuts {
    /// Where no more than this many operations, or sectors, are not synced, each combination of them is tried.
    pub exhaustive: usize,
    /// Where there are more: this many of them are dropped or kept, each alone.
    pub alone: usize,
    /// This many at random, with torn and garbled sectors.
    pub random: usize,
}

/// What of a file a cut leaves.
enum Fate<'a> {
    /// These operations, by their time.
    Kept(&'a dyn Fn(usize) -> bool),
    /// Each sector as it was at some instant.
    Sectors(&'a mut dyn FnMut(Sector) -> State),
}

/// One sector of one file, which was written this many times since the last sync.
struct Sector {
    writes: usize,
}

/// What becomes of a sector.
enum State {
    /// As it was after so many of the writes.
    After(usize),
    /// As it was after the first, up to this byte, with the rest as it was before any.
    Torn(usize),
    /// Anything, where it was written to. Bytes beside it stay: SQLite too rests on that (`SQLITE_POWERSAFE_OVERWRITE`).
    Garbage(u64),
}

impl Disk {
    /// Takes the next operation of the log.
    pub fn take(&mut self, op: &Op) {
        self.clock += 1;
        let now = self.clock;
        match op {
            Op::Create { ino, directory, .. } => {
                if *directory {
                    self.names.entry(*ino).or_default();
                } else {
                    self.files.entry(*ino).or_default();
                }
                self.unsynced_names.push((now, op.clone()));
            }
            Op::Write { ino, offset, data } => {
                let edit = Edit::Write { offset: *offset, data: data.clone() };
                self.files.entry(*ino).or_default().unsynced.push((now, edit));
            }
            Op::Resize { ino, size } => {
                self.files.entry(*ino).or_default().unsynced.push((now, Edit::Resize(*size)));
            }
            Op::Unlink { .. } | Op::Rename { .. } => self.unsynced_names.push((now, op.clone())),
            Op::Sync(ino) => {
                if let Some(file) = self.files.get_mut(ino) {
                    file.synced = file.kept(&|_| true);
                    file.unsynced.clear();
                }
            }
            Op::Forget(ino) => {
                if let Some(file) = self.files.get_mut(ino) {
                    file.unsynced.clear();
                }
            }
            Op::SyncDir(dir) => {
                let (synced, rest) = std::mem::take(&mut self.unsynced_names)
                    .into_iter()
                    .partition(|(_, change)| change.is_in(*dir));
                self.unsynced_names = rest;
                for (_, change) in synced {
                    change.name_in(&mut self.names);
                }
            }
            Op::Mark(_) => {}
        }
    }

    /// Everything reaches the disk.
    pub fn settle(&mut self) {
        let inos: Vec<Ino> = self.files.keys().copied().collect();
        for ino in inos {
            self.take(&Op::Sync(ino));
        }
        for (_, change) in std::mem::take(&mut self.unsynced_names) {
            change.name_in(&mut self.names);
        }
    }

    /// Everything, as it shows while the power is there.
    #[must_use]
    pub fn now(&self) -> Image {
        self.image(&|_| true, Fate::Kept(&|_| true))
    }

    /// What a power cut at this instant may leave: all in small cases, in large ones those that are named in
    /// [`Cuts`], chosen by `seed`.
    #[must_use]
    pub fn images(&self, cuts: Cuts, seed: u64) -> Vec<Image> {
        let mut random = Random(seed);
        let names: Vec<usize> = self.unsynced_names.iter().map(|(at, _)| *at).collect();
        let mut times: Vec<usize> = names.clone();
        times.extend(self.files.values().flat_map(|file| file.unsynced.iter().map(|(at, _)| *at)));
        times.sort_unstable();
        let mut out = Vec::new();
        let mut keep = |kept: &dyn Fn(usize) -> bool| out.push(self.image(kept, Fate::Kept(kept)));

        keep(&|_| false);
        keep(&|_| true);
        if times.len() <= cuts.exhaustive {
            for combination in 0..1_u64 << times.len() {
                keep(&|at| {
                    times.iter().position(|time| *time == at).is_some_and(|n| combination >> n & 1 == 1)
                });
            }
        } else {
            for alone in random.some_of(&times, cuts.alone) {
                keep(&|at| at != alone);
                keep(&|at| at == alone);
                // In order, up to here: what a power cut leaves on a disk that does first things first.
                keep(&|at| at <= alone);
            }
        }

        let sectors: usize = self.files.values().map(|file| file.written_sectors().len()).sum();
        // Names that are all there, or none.
        for named in [true, false] {
            if sectors <= cuts.exhaustive {
                for combination in 0..1_u64 << sectors {
                    let mut n = 0;
                    let mut fate = |sector: Sector| {
                        n += 1;
                        State::After(if combination >> (n - 1) & 1 == 1 { sector.writes } else { 0 })
                    };
                    out.push(self.image(&|_| named, Fate::Sectors(&mut fate)));
                }
            }
            for garbage in [true, false] {
                // Its size, and nothing of what was written.
                let mut fate = |_| if garbage { State::Garbage(random.next()) } else { State::After(0) };
                out.push(self.image(&|_| named, Fate::Sectors(&mut fate)));
            }
        }
        for _ in 0..cuts.random {
            let kept: BTreeSet<usize> = match random.below(3) {
                0 => names.iter().copied().collect(),
                1 => names.iter().take(random.below(names.len() + 1)).copied().collect(),
                _ => names.iter().filter(|_| random.below(2) == 0).copied().collect(),
            };
            let (odds, wild) = (random.below(4) + 1, random.below(2) == 0);
            let mut fate = |sector: Sector| match random.below(12) {
                0 if wild => State::Garbage(random.next()),
                1 if wild => State::Torn(random.below(SECTOR)),
                n if n % 4 < odds => State::After(sector.writes),
                _ => State::After(random.below(sector.writes + 1)),
            };
            out.push(self.image(&|at| kept.contains(&at), Fate::Sectors(&mut fate)));
        }
        out
    }

    fn image(&self, named: &dyn Fn(usize) -> bool, mut fate: Fate<'_>) -> Image {
        let mut names = self.names.clone();
        for (_, change) in self.unsynced_names.iter().filter(|(at, _)| named(*at)) {
            change.name_in(&mut names);
        }
        let mut image = Image::default();
        let mut below = vec![(ROOT, String::new())];
        while let Some((dir, path)) = below.pop() {
            for (name, ino) in names.get(&dir).into_iter().flatten() {
                let path = if path.is_empty() { name.clone() } else { format!("{path}/{name}") };
                match self.files.get(ino) {
                    Some(file) => {
                        let content = match &mut fate {
                            Fate::Kept(kept) => file.kept(kept),
                            Fate::Sectors(state) => file.sectors(state),
                        };
                        image.files.insert(path, content);
                    }
                    None => {
                        image.directories.push(path.clone());
                        below.push((*ino, path));
                    }
                }
            }
        }
        image
    }
}

impl Op {
    /// Whether it changes names of this directory.
    fn is_in(&self, of: Ino) -> bool {
        match self {
            Self::Create { dir, .. } | Self::Unlink { dir, .. } => *dir == of,
            Self::Rename { dir, to_dir, .. } => *dir == of || *to_dir == of,
            _ => false,
        }
    }

    fn name_in(&self, names: &mut BTreeMap<Ino, BTreeMap<String, Ino>>) {
        match self {
            Self::Create { dir, name, ino, .. } => {
                names.entry(*dir).or_default().insert(name.clone(), *ino);
            }
            Self::Unlink { dir, name } => {
                names.entry(*dir).or_default().remove(name);
            }
            Self::Rename { dir, name, to_dir, to } => {
                // The creation may be lost where the rename is not: then there is nothing to rename.
                if let Some(ino) = names.entry(*dir).or_default().remove(name) {
                    names.entry(*to_dir).or_default().insert(to.clone(), ino);
                }
            }
            _ => {}
        }
    }
}

impl Edit {
    fn make(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::Write { offset, data } => write_at(bytes, *offset, data),
            Self::Resize(size) => bytes.resize(*size, 0),
        }
    }

    fn covers(&self, place: usize) -> bool {
        match self {
            Self::Write { offset, data } => (*offset..offset + data.len()).contains(&place),
            Self::Resize(size) => place >= *size,
        }
    }

    /// What it makes of the bytes from `start` on, the file's size aside.
    fn make_in(&self, bytes: &mut [u8], start: usize) {
        let end = start + bytes.len();
        match self {
            Self::Write { offset, data } => {
                let (from, until) = (start.max(*offset), end.min(offset + data.len()));
                if from < until {
                    bytes[from - start..until - start].copy_from_slice(&data[from - offset..until - offset]);
                }
            }
            Self::Resize(size) => bytes[size.saturating_sub(start).min(end - start)..].fill(0),
        }
    }
}

impl Extent {
    fn kept(&self, kept: &dyn Fn(usize) -> bool) -> Vec<u8> {
        let mut bytes = self.synced.clone();
        for (_, edit) in self.unsynced.iter().filter(|(at, _)| kept(*at)) {
            edit.make(&mut bytes);
        }
        bytes
    }

    /// The sizes it has had since the last sync.
    fn sizes(&self) -> Vec<usize> {
        let mut sizes = vec![self.synced.len()];
        for (_, edit) in &self.unsynced {
            let size = sizes.last().copied().unwrap_or(0);
            sizes.push(match edit {
                Edit::Write { offset, data } => size.max(offset + data.len()),
                Edit::Resize(size) => *size,
            });
        }
        sizes
    }

    /// The sectors that are not as they were synced, and what was done to each.
    fn written_sectors(&self) -> BTreeMap<usize, Vec<&Edit>> {
        let most = self.sizes().into_iter().max().unwrap_or(0).div_ceil(SECTOR);
        let mut out: BTreeMap<usize, Vec<&Edit>> = BTreeMap::new();
        for (_, edit) in &self.unsynced {
            let (first, end) = match edit {
                Edit::Write { offset, data } => (offset / SECTOR, (offset + data.len()).div_ceil(SECTOR)),
                Edit::Resize(size) => (size / SECTOR, most),
            };
            for sector in first..end {
                out.entry(sector).or_default().push(edit);
            }
        }
        out
    }

    /// Any size that it had, each sector as `state` says.
    fn sectors(&self, state: &mut dyn FnMut(Sector) -> State) -> Vec<u8> {
        let sizes = self.sizes();
        let mut bytes = self.synced.clone();
        let most = sizes.iter().copied().max().unwrap_or(0).next_multiple_of(SECTOR);
        bytes.resize(most.max(bytes.len()), 0);
        for (sector, edits) in self.written_sectors() {
            let start = sector * SECTOR;
            let synced = bytes[start..start + SECTOR].to_vec();
            let after = |count: usize| {
                let mut content = synced.clone();
                for edit in edits.iter().take(count) {
                    edit.make_in(&mut content, start);
                }
                content
            };
            let content = match state(Sector { writes: edits.len() }) {
                State::After(count) => after(count),
                State::Torn(at) => [&after(edits.len())[..at], &synced[at..]].concat(),
                State::Garbage(seed) => {
                    let mut random = Random(seed);
                    let mut content = synced.clone();
                    for (place, byte) in content.iter_mut().enumerate() {
                        if edits.iter().any(|edit| edit.covers(start + place)) {
                            *byte = random.next().to_le_bytes()[0];
                        }
                    }
                    content
                }
            };
            bytes[start..start + SECTOR].copy_from_slice(&content);
        }
        // The last word on the size too is one sector of the disk.
        let size = match state(Sector { writes: self.unsynced.len() }) {
            State::After(count) => sizes[count.min(self.unsynced.len())],
            State::Torn(_) | State::Garbage(_) => sizes[self.unsynced.len()],
        };
        bytes.resize(size, 0);
        bytes
    }
}

/// Numbers that look random, the same for the same seed (splitmix64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        let end = u64::try_from(end.max(1)).expect("it fits");
        usize::try_from(self.next() % end).expect("it fits")
    }

    fn some_of(&mut self, all: &[usize], most: usize) -> Vec<usize> {
        let mut all = all.to_vec();
        while all.len() > most {
            let place = self.below(all.len());
            all.swap_remove(place);
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CUTS: Cuts = Cuts { exhaustive: 6, alone: 20, random: 50 };

    fn create(name: &str, ino: Ino) -> Op {
        Op::Create { dir: ROOT, name: name.to_owned(), ino, directory: false }
    }

    fn write(ino: Ino, offset: usize, data: &[u8]) -> Op {
        Op::Write { ino, offset, data: data.to_vec() }
    }

    fn after(ops: &[Op]) -> Disk {
        let mut disk = Disk::default();
        for op in ops {
            disk.take(op);
        }
        disk
    }

    /// The contents of `a` that a power cut may leave; none where it is not there.
    fn of_a(disk: &Disk) -> BTreeSet<Option<Vec<u8>>> {
        disk.images(CUTS, 1).iter().map(|image| image.files.get("a").cloned()).collect()
    }

    #[test]
    fn what_is_synced_is_there_with_its_name_only_once_the_directory_is_synced_too() {
        let mut ops = vec![create("a", 2), write(2, 0, b"old"), Op::Sync(2)];
        assert_eq!(of_a(&after(&ops)), BTreeSet::from([None, Some(b"old".to_vec())]));
        ops.push(Op::SyncDir(ROOT));
        assert_eq!(of_a(&after(&ops)), BTreeSet::from([Some(b"old".to_vec())]));
    }

    #[test]
    fn what_is_not_synced_may_be_there_in_any_part_and_order() {
        let base = [create("a", 2), write(2, 0, &[1; 1024]), Op::Sync(2), Op::SyncDir(ROOT)];
        let ops = [base.as_slice(), &[write(2, 0, &[2; 512]), write(2, 512, &[3; 512])]].concat();
        let seen = of_a(&after(&ops));
        for (first, second) in [(1, 1), (1, 3), (2, 1), (2, 3)] {
            let one = [[first; 512], [second; 512]].concat();
            assert!(seen.contains(&Some(one)), "{first} {second}");
        }
        assert!(seen.len() > 4, "and torn and garbled ones");
        let synced = [ops.as_slice(), &[Op::Sync(2)]].concat();
        assert_eq!(of_a(&after(&synced)).len(), 1);
    }

    #[test]
    fn a_file_that_grew_may_have_its_size_and_not_its_bytes() {
        let ops = [create("a", 2), Op::Sync(2), Op::SyncDir(ROOT), write(2, 0, &[7; 600])];
        let seen = of_a(&after(&ops));
        assert!(seen.contains(&Some(vec![])) && seen.contains(&Some(vec![7; 600])));
        let torn = [[7; 512].as_slice(), &[0; 88]].concat();
        assert!(seen.contains(&Some(torn)), "one of its two sectors");
        assert!(seen.iter().flatten().any(|bytes| bytes.len() == 600 && !bytes.contains(&7)));
    }

    #[test]
    fn a_rename_is_made_or_not() {
        let mut ops = vec![create("a", 2), write(2, 0, b"old"), Op::Sync(2), Op::SyncDir(ROOT)];
        ops.extend([create("b", 3), write(3, 0, b"new"), Op::Sync(3)]);
        ops.push(Op::Rename { dir: ROOT, name: "b".to_owned(), to_dir: ROOT, to: "a".to_owned() });
        let seen = of_a(&after(&ops));
        assert_eq!(seen, BTreeSet::from([Some(b"old".to_vec()), Some(b"new".to_vec())]));
        ops.push(Op::SyncDir(ROOT));
        assert_eq!(of_a(&after(&ops)), BTreeSet::from([Some(b"new".to_vec())]));
    }

    #[test]
    fn what_a_failed_sync_forgot_no_later_one_brings_back() {
        let ops = [
            create("a", 2),
            Op::Sync(2),
            Op::SyncDir(ROOT),
            write(2, 0, b"lost"),
            Op::Forget(2),
            write(2, 4, b"kept"),
            Op::Sync(2),
        ];
        assert_eq!(of_a(&after(&ops)), BTreeSet::from([Some(b"\0\0\0\0kept".to_vec())]));
    }
}
