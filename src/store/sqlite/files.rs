//! Checks that the names of an open database still lead to it. The check runs before each commit is believed,
//! and before anything that was read is shown: what is stored in a file that has lost its name, or its log, is
//! not stored for any other process.

use std::{
    fs::File,
    io,
    os::{fd::AsRawFd, unix::fs::FileExt},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::{Duration, Instant},
};

use super::{
    claim::{Claim, Refusal},
    look::{FileId, Seen, look, look_at},
};
use crate::store::StoreError;

/// The files of an open database. Callers must drop this after the last connection to the database.
pub(super) struct Files {
    pub(super) path: PathBuf,
    log: PathBuf,
    index: PathBuf,
    with: With,
    ended: OnceLock<StoreError>,
    database: Arc<File>,
    claim: Claim, // drops last, after each descriptor that it gave
}

/// What is in use beside the file.
enum With {
    /// No log: nothing is known yet, or the database keeps none.
    Nothing,
    /// A log and its index.
    Log { ids: [FileId; 2], index: Arc<File>, known: Mutex<Known>, _log: File },
    /// The file alone is read, and must not change.
    Frozen(Seen),
}

/// When the file was written last, and how far the log had been copied into it before that.
#[derive(Clone, Copy, PartialEq)]
struct Known {
    written: ((i64, u32), u64),
    copied: Option<Copied>,
}

/// How far the log is copied into the database, from its index (`WalIndexHdr` and `WalCkptInfo` of
/// SQLite's wal.c).
#[derive(Clone, Copy, PartialEq)]
struct Copied {
    salt: [u8; 8],
    done: [u8; 4],
    attempted: [u8; 4],
}

/// What happened to the files.
#[derive(Debug, PartialEq)]
pub(super) enum Change {
    Links(u32),
    Mount,
    Moved(Option<PathBuf>),
    Deleted,
    Replaced,
    LogGone(PathBuf),
    Overwritten,
    NotFrozen,
}

impl Files {
    /// Claims the database at `path`, which is without symbolic links, before SQLite opens it.
    pub(super) fn claim(path: &Path) -> Result<Self, StoreError> {
        let failed = |refusal: Refusal| refusal.of(path);
        let seen = look(path).and_then(|seen| seen.ok_or_else(|| io::ErrorKind::NotFound.into()));
        if let Some(change) = seen.map_err(|error| failed(error.into())).map(second_name)? {
            return Err(StoreError::Misplaced(change.said_of(path, false)));
        }
        let claim = Claim::stake(path).map_err(failed)?;
        let database = claim.database().ok_or_else(|| failed(Refusal::OtherLog))?;
        let (log, index) = (beside(path, "-wal"), beside(path, "-shm"));
        patiently(|| claim.check_log(&log, &index)).map_err(failed)?;
        let (with, ended) = (With::Nothing, OnceLock::new());
        Ok(Self { path: path.to_owned(), log, index, with, ended, database, claim })
    }

    /// Notes the log, once a connection has read the database and keeps its log there.
    pub(super) fn attach(&mut self) -> Result<(), StoreError> {
        let Self { path, log, index, claim, .. } = self;
        let failed = |refusal: Refusal| refusal.of(path);
        if let (Ok(None), Ok(None)) = (look(log), look(index)) {
            return Ok(()); // it keeps none
        }
        let (index, log) = patiently(|| claim.attach(log, index)).map_err(failed)?;
        let known = (|| {
            let copied = copied(&index)?;
            let ids = [look_at(&log)?.id, look_at(&index)?.id];
            Ok((ids, Known { written: written(&look_at(&self.database)?), copied }))
        })();
        let (ids, known) = known.map_err(|error: io::Error| failed(error.into()))?;
        self.with = With::Log { ids, index, known: Mutex::new(known), _log: log };
        self.check().map_err(|end| self.refuse(end))
    }

    /// Whether each kind of log is empty, or does not exist: then the file alone is the whole database.
    pub(super) fn is_log_empty(&self) -> io::Result<bool> {
        let is_empty = |seen: Option<Seen>| seen.is_none_or(|log| log.size == 0);
        Ok(is_empty(look(&self.log)?) && is_empty(look(&beside(&self.path, "-journal"))?))
    }

    /// From now on the file alone is read.
    pub(super) fn freeze(&mut self) -> io::Result<()> {
        self.with = With::Frozen(look_at(&self.database)?);
        Ok(())
    }

    /// Whether something happened to the files: then nothing that is stored through them counts any more.
    pub(super) fn is_ended(&self) -> bool {
        self.ended.get().is_some()
    }

    /// Checks that each name still leads to the file that is open. This costs a few microseconds.
    pub(super) fn check(&self) -> Result<(), End> {
        if let Some(error) = self.ended.get() {
            return Err(End::Before(error.clone()));
        }
        match self.change() {
            Ok(None) => Ok(()),
            Ok(Some(change)) => Err(End::Now(change)),
            Err(error) => Err(End::Unknown(error)),
        }
    }

    /// The error of a check that failed, within a transaction that is rolled back because of it.
    pub(super) fn refuse(&self, end: End) -> StoreError {
        match end {
            End::Now(change) => StoreError::Misplaced(change.said_of(&self.path, false)),
            end => self.end(end, || false),
        }
    }

    /// The error of a check that failed, and of all checks after it. Where that is safe, `save` copies the log
    /// into the database, and returns whether it could.
    pub(super) fn end(&self, end: End, save: impl FnOnce() -> bool) -> StoreError {
        match end {
            End::Before(error) => error,
            End::Unknown(error) => {
                StoreError::Unavailable(format!("cannot check '{}': {error}", self.path.display()))
            }
            End::Now(change) => {
                let may_save = change.is_about_names() && self.is_log_ours().unwrap_or(false);
                let error = StoreError::Misplaced(change.said_of(&self.path, may_save && save()));
                self.ended.get_or_init(|| error).clone()
            }
        }
    }

    fn change(&self) -> io::Result<Option<Change>> {
        match &self.with {
            With::Nothing => Ok(self.renamed()?.err()),
            With::Frozen(then) => Ok(match self.renamed()? {
                Ok(seen) => (seen != *then || !self.is_log_empty()?).then_some(Change::NotFrozen),
                Err(change) => Some(change),
            }),
            With::Log { ids, index, known, .. } => {
                // One thread at a time, and in this order, because a process that copies the log into the
                // database notes that in the index first, then writes.
                let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
                let before = copied(index)?;
                let seen = match self.renamed()? {
                    Ok(seen) => seen,
                    Err(change) => return Ok(Some(change)),
                };
                for (path, id) in [(&self.log, ids[0]), (&self.index, ids[1])] {
                    if look(path)?.is_none_or(|seen| seen.id != id) {
                        return Ok(Some(Change::LogGone(path.clone())));
                    }
                }
                let after = copied(index)?;
                let is_explained = written(&seen) == known.written
                    || after.is_none_or(|after| known.copied != Some(after) || after.is_under_way());
                if !is_explained {
                    return Ok(Some(Change::Overwritten));
                }
                *known = Known { written: written(&seen), copied: before };
                Ok(None)
            }
        }
    }

    /// The file, if its name still leads to it, and no other name does.
    fn renamed(&self) -> io::Result<Result<Seen, Change>> {
        let Some(seen) = look(&self.path)? else { return Ok(Err(self.without_name()?)) };
        if seen.id != self.claim.id {
            return Ok(Err(Change::Replaced));
        }
        Ok(second_name(seen).map_or(Ok(seen), Err))
    }

    fn without_name(&self) -> io::Result<Change> {
        Ok(match look_at(&self.database)?.links {
            0 => Change::Deleted,
            _ => Change::Moved(self.new_path()),
        })
    }

    fn new_path(&self) -> Option<PathBuf> {
        std::fs::read_link(format!("/proc/self/fd/{}", self.database.as_raw_fd())).ok()
    }

    /// Whether nobody can have begun another log, by the old name or by the new.
    fn is_log_ours(&self) -> io::Result<bool> {
        let With::Log { ids, .. } = &self.with else { return Ok(false) };
        for path in [Some(self.path.clone()), self.new_path()].into_iter().flatten() {
            for (end, id) in [("-wal", ids[0]), ("-shm", ids[1])] {
                if look(&beside(&path, end))?.is_some_and(|seen| seen.id != id) {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }
}

/// Why a check failed.
#[derive(Debug)]
pub(super) enum End {
    /// It has failed before.
    Before(StoreError),
    /// Something happened.
    Now(Change),
    /// The files could not be looked at.
    Unknown(io::Error),
}

impl Change {
    /// Whether the content of the file is unchanged.
    fn is_about_names(&self) -> bool {
        !matches!(self, Self::Overwritten | Self::NotFrozen)
    }

    /// `saved`: the file itself holds all that was stored.
    fn said_of(&self, path: &Path, saved: bool) -> String {
        let path = path.display();
        match self {
            Self::Links(links) => format!(
                "the database file '{path}' has {links} names (hard links), and each would have its own log: \
                 remove the other names, or copy the file instead"
            ),
            Self::Mount => format!(
                "the database file '{path}' is mounted by itself, so its log here would not be the log that \
                 other processes use: mount its folder instead"
            ),
            Self::Moved(to) => format!(
                "the database '{path}' was moved{} while it was in use: nothing more is stored. Stop every process \
                 that uses it, {}, and start again",
                to.iter().map(|to| format!(" to '{}'", to.display())).collect::<String>(),
                if saved {
                    "move it back or use it there (all that was stored went with it)".to_owned()
                } else {
                    format!(
                        "move it back, or move '{path}-wal' along with it (unless something was stored under the new \
                         name: then a '-wal' of that name holds it)"
                    )
                }
            ),
            Self::Deleted => {
                format!("the database '{path}' was deleted while it was in use: nothing more is stored")
            }
            Self::Replaced => format!(
                "the database '{path}' was replaced by another file while it was in use: nothing more is stored. Stop \
                 every process that uses it, make sure that no '{path}-wal' or '{path}-shm' of the old file is left, \
                 and start again"
            ),
            Self::LogGone(log) => format!(
                "'{}', a part of the database, was moved, deleted or replaced while it was in use: nothing more is \
                 stored. Stop every process that uses it, {}and start again",
                log.display(),
                if saved { "" } else { "move that file back if it is there, " }
            ),
            Self::Overwritten => format!(
                "the content of the database '{path}' was changed by something other than SQLite while it was in use \
                 (a backup may have been copied over it): nothing more is stored. Stop every process that uses it. If a \
                 backup was restored, remove '{path}-wal' and '{path}-shm', and restore the backup again"
            ),
            Self::NotFrozen => {
                format!("the database '{path}' was changed while it was read: run the command again")
            }
        }
    }
}

fn second_name(seen: Seen) -> Option<Change> {
    if seen.is_mount {
        return Some(Change::Mount);
    }
    (seen.links > 1).then_some(Change::Links(seen.links))
}

fn written(seen: &Seen) -> ((i64, u32), u64) {
    (seen.changed, seen.size)
}

impl Copied {
    /// Whether the log is being copied into the database, or was when the process that copied it died.
    fn is_under_way(self) -> bool {
        self.done != self.attempted
    }
}

/// `None` where the index is not in use, as for a process that may only read.
fn copied(index: &File) -> io::Result<Option<Copied>> {
    let mut bytes = [0; 132];
    match index.read_exact_at(&mut bytes, 0) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        Err(error) => return Err(error),
    }
    let (mut salt, mut done, mut attempted) = ([0; 8], [0; 4], [0; 4]);
    salt.copy_from_slice(&bytes[32..40]);
    done.copy_from_slice(&bytes[96..100]);
    attempted.copy_from_slice(&bytes[128..132]);
    Ok(Some(Copied { salt, done, attempted }))
}

pub(super) fn beside(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    name.into()
}

/// Tries again for a while, because a process that closes the database releases its log a moment before its
/// claim.
fn patiently<T>(mut act: impl FnMut() -> Result<T, Refusal>) -> Result<T, Refusal> {
    let deadline = Instant::now() + Duration::from_secs(5);
    loop {
        match act() {
            Err(Refusal::OtherLog) if Instant::now() < deadline => {
                std::thread::sleep(Duration::from_millis(20));
            }
            result => return result,
        }
    }
}
