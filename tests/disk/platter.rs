//! What a disk holds when the power goes away: all that was synced, and of the rest whatever it likes.

use std::{collections::BTreeMap, fs, path::Path};
use support::random::Random;

use crate::trace::Event;

/// What is written at once, or not at all.
const SECTOR: usize = 512;

/// The files of a folder and of the one in it, each change of which is certain after a sync only.
#[derive(Default)]
pub struct Disk<'a> {
    files: Vec<File<'a>>,
    names: BTreeMap<String, Versions<Option<usize>>>,
    events: usize,
}

#[derive(Default)]
struct File<'a> {
    synced: Vec<u8>,
    pending: Vec<(usize, Change<'a>)>,
    length: usize,
}

enum Change<'a> {
    Write(usize, &'a [u8]),
    Resize(usize),
}

/// What a name stands for: for certain, and after each event since.
#[derive(Default)]
struct Versions<T> {
    synced: T,
    pending: Vec<(usize, T)>,
}

/// What becomes of that which was not synced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Everything is kept, as if only the process had died.
    Kept,
    Lost,
    /// It was written in order, up to somewhere within a change.
    Cut,
    /// Each change was written or not, in whatever order.
    Changes,
    /// Each sector of each change was written or not.
    Sectors,
}

impl Fate {
    pub const LOSSES: [Self; 4] = [Self::Lost, Self::Cut, Self::Changes, Self::Sectors];
}

impl<'a> Disk<'a> {
    /// Takes the next event.
    pub fn apply(&mut self, event: &'a Event) {
        let at = self.events;
        self.events += 1;
        match event {
            Event::Create { name } => {
                if self.file(name).is_none() {
                    self.files.push(File::default());
                    self.rename(at, name, Some(self.files.len() - 1));
                }
            }
            Event::Link { from, to } => self.rename(at, to, self.file(from)),
            Event::Unlink { name } => self.rename(at, name, None),
            Event::Write { name, offset, bytes } => {
                let file = self.file_mut(name);
                let offset = offset.unwrap_or(file.length);
                file.length = file.length.max(offset + bytes.len());
                file.pending.push((at, Change::Write(offset, bytes)));
            }
            Event::Resize { name, length } => {
                let file = self.file_mut(name);
                file.length = *length;
                file.pending.push((at, Change::Resize(*length)));
            }
            Event::Sync { name, covers } => {
                let file = self.file_mut(name);
                let covered = file.pending.iter().take_while(|(at, _)| at < covers).count();
                for (_, change) in file.pending.drain(..covered) {
                    change.apply(&mut file.synced);
                }
            }
            Event::SyncFolder { name: folder, covers } => {
                let is_in = |name: &str| Path::new(name).parent() == Some(Path::new(folder));
                for (_, versions) in self.names.iter_mut().filter(|(name, _)| is_in(name)) {
                    let covered = versions.pending.iter().take_while(|(at, _)| at < covers).count();
                    versions.synced = versions
                        .pending
                        .drain(..covered)
                        .next_back()
                        .map_or(versions.synced, |(_, file)| file);
                }
            }
            Event::Shown | Event::Said { .. } => {}
        }
    }

    /// How many changes are not certain.
    pub fn unsynced(&self) -> usize {
        let changes = self.files.iter().map(|file| file.pending.len()).sum::<usize>();
        changes + self.names.values().map(|versions| versions.pending.len()).sum::<usize>()
    }

    /// Writes the files that are found when the power is back.
    pub fn image(&self, fate_of: impl Fn(&str) -> Fate, random: &mut Random, folder: &Path) {
        for (name, versions) in &self.names {
            let fate = fate_of(name);
            let choice = match fate {
                Fate::Kept => versions.pending.len(),
                Fate::Lost => 0,
                _ => random.below(versions.pending.len() as u64 + 1) as usize,
            };
            let file = if choice == 0 { versions.synced } else { versions.pending[choice - 1].1 };
            if let Some(file) = file {
                let path = folder.join(name);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(&path, self.files[file].image(fate, random)).unwrap();
                fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
            }
        }
    }

    fn file(&self, name: &str) -> Option<usize> {
        let versions = self.names.get(name)?;
        versions.pending.last().map_or(versions.synced, |(_, file)| *file)
    }

    fn file_mut(&mut self, name: &str) -> &mut File<'a> {
        let file = self.file(name).unwrap_or_else(|| panic!("{name} was there before the trace began"));
        &mut self.files[file]
    }

    fn rename(&mut self, at: usize, name: &str, file: Option<usize>) {
        self.names.entry(name.to_owned()).or_default().pending.push((at, file));
    }
}

impl File<'_> {
    fn image(&self, fate: Fate, random: &mut Random) -> Vec<u8> {
        let mut content = self.synced.clone();
        let garbage = random.below(2) == 0;
        let cut = random.below(self.pending.len() as u64 + 1) as usize;
        for (i, (_, change)) in self.pending.iter().enumerate() {
            let (torn, coin) = (random.below(8) as usize, random.below(2) == 0);
            let is_kept = |sector: usize, random: &mut Random| match fate {
                Fate::Kept => true,
                Fate::Lost => false,
                Fate::Cut => i < cut || (i == cut && sector < torn),
                Fate::Changes => coin,
                Fate::Sectors => random.below(2) == 0,
            };
            match change {
                Change::Resize(length) if is_kept(0, random) => content.resize(*length, 0),
                Change::Resize(_) => {}
                Change::Write(offset, bytes) => {
                    for (sector, bytes) in bytes.chunks(SECTOR).enumerate() {
                        let (start, is_kept) = (offset + sector * SECTOR, is_kept(sector, random));
                        // The file may have grown though nothing was written there.
                        if is_kept || (fate != Fate::Lost && random.below(4) == 0) {
                            grow(&mut content, start + bytes.len(), garbage, random);
                        }
                        if is_kept {
                            content[start..start + bytes.len()].copy_from_slice(bytes);
                        }
                    }
                }
            }
        }
        content
    }
}

/// What was never written reads as zeroes, or as what others left on the disk.
fn grow(content: &mut Vec<u8>, length: usize, garbage: bool, random: &mut Random) {
    while content.len() < length {
        content.push(if garbage { random.below(256) as u8 } else { 0 });
    }
}

impl Change<'_> {
    fn apply(self, content: &mut Vec<u8>) {
        match self {
            Self::Write(offset, bytes) => {
                let end = offset + bytes.len();
                content.resize(content.len().max(end), 0);
                content[offset..end].copy_from_slice(bytes);
            }
            Self::Resize(length) => content.resize(length, 0),
        }
    }
}
