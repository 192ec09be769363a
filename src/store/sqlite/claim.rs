//! Claims: each process that has a database open states on the file itself by which name and with which log it
//! uses the file. SQLite names the log after the path, so two processes that use two names would not see each
//! other's commits.
//!
//! A claim is a shared lock on one byte far behind the end of the file; the position of the byte encodes what
//! is claimed. Processes that claim the same share the lock, and a process that finds a lock at another
//! position is refused. The lock belongs to the open file (`F_OFD_SETLK`), so the kernel drops it when the
//! process dies, however it dies.

use std::{
    collections::BTreeMap,
    fs::{File, OpenOptions},
    io::{self, ErrorKind},
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use nix::{
    errno::Errno,
    fcntl::{FcntlArg, fcntl},
    libc,
};

use super::look::{FileId, look, look_at};
use crate::store::StoreError;

/// What is claimed of a file, and which range of bytes encodes it. SQLite's locks end at 2^30 + 512.
#[derive(Clone, Copy)]
enum About {
    /// Of a database: the folder and the name by which it is open.
    Name = 1,
    /// Of a database: the log that is in use with it.
    Log = 2,
    /// Of a log: the database that it belongs to.
    Database = 3,
}

/// Bytes for each.
const SPAN: i64 = 1 << 60;

/// Claims `text` of a file; `false` when another process claims something else.
fn say(file: &File, about: About, text: &[u8]) -> io::Result<bool> {
    // Lock first, then look at the other claims: of two processes that come at the same time at least one sees
    // the other.
    let byte = lock(libc::F_RDLCK, about as i64 * SPAN + hash(text), 1);
    fcntl(file, FcntlArg::F_OFD_SETLK(&byte))?;
    is_said(file, about, Some(text))
}

/// Whether all others who claim something of a file claim `text`.
fn is_said(file: &File, about: About, text: Option<&[u8]>) -> io::Result<bool> {
    let (begin, end) = (about as i64 * SPAN, (about as i64 + 1) * SPAN);
    let ours = text.map(|text| begin + hash(text));
    let is_free = |start: i64, end: i64| -> io::Result<bool> {
        if start == end {
            return Ok(true); // a length of 0 would reach to the end of the file
        }
        let mut found = lock(libc::F_WRLCK, start, end - start);
        fcntl(file, FcntlArg::F_OFD_GETLK(&mut found))?;
        Ok(i32::from(found.l_type) == libc::F_UNLCK)
    };
    match ours {
        Some(ours) => Ok(is_free(begin, ours)? && is_free(ours + 1, end)?),
        None => is_free(begin, end),
    }
}

fn unsay(file: &File, about: About) {
    let all = lock(libc::F_UNLCK, about as i64 * SPAN, SPAN);
    // A claim that cannot be dropped keeps other processes away until this process ends.
    let _: Result<i32, Errno> = fcntl(file, FcntlArg::F_OFD_SETLK(&all));
}

fn lock(kind: i32, start: i64, length: i64) -> libc::flock {
    libc::flock {
        l_type: kind as libc::c_short,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: start,
        l_len: length,
        l_pid: 0,
    }
}

/// FNV-1a: the same in every build of this program. Two texts that share a position are not told apart.
fn hash(text: &[u8]) -> i64 {
    let hash = text.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    (hash >> 4) as i64 & (SPAN - 1)
}

/// What this process holds of one database.
struct Held {
    database: Arc<File>,
    name: Vec<u8>,
    log: Option<Vec<u8>>,
    /// Indexes of the log, opened beside SQLite. The last is in use.
    indexes: Vec<Arc<File>>,
    /// The number of claims, and how many of them are about a log, too.
    claims: usize,
    attached: usize,
}

/// One map for the whole process, because POSIX locks belong to the process: when it closes any descriptor of a
/// file, it loses all locks that SQLite holds on that file by other descriptors. So each database and each
/// index is opened here once, before SQLite opens it, and closed when nothing in this process uses it any more.
static HELD: Mutex<BTreeMap<FileId, Held>> = Mutex::new(BTreeMap::new());

fn held() -> MutexGuard<'static, BTreeMap<FileId, Held>> {
    HELD.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A database that this process has open, by one name. Callers must drop the claim after the last connection to
/// the database.
pub(super) struct Claim {
    pub(super) id: FileId,
    is_attached: bool,
}

/// What keeps a process from a database.
pub(super) enum Refusal {
    /// It is open by another name.
    OtherName,
    /// It is open with another log, or its log with another database. This passes when the other processes
    /// close the file.
    OtherLog,
    /// An error of the operating system.
    Io(io::Error),
}

impl From<io::Error> for Refusal {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<ErrorKind> for Refusal {
    fn from(kind: ErrorKind) -> Self {
        Self::Io(kind.into())
    }
}

impl Claim {
    /// Claims the database at `path`, which is without symbolic links.
    pub(super) fn stake(path: &Path) -> Result<Self, Refusal> {
        let mut held = held();
        let seen = look(path)?.ok_or(ErrorKind::NotFound)?;
        let name = name_of(path)?;
        let said = match held.get(&seen.id) {
            Some(held) => held.name == name,
            None => {
                let database = Arc::new(open(path)?);
                if look_at(&database)?.id != seen.id {
                    return Err(Refusal::OtherLog);
                }
                let said = say(&database, About::Name, &name)?;
                if said {
                    let held_now =
                        Held { database, name, log: None, indexes: Vec::new(), claims: 0, attached: 0 };
                    held.insert(seen.id, held_now);
                }
                said
            }
        };
        match held.get_mut(&seen.id) {
            Some(held) if said => held.claims += 1,
            _ => return Err(Refusal::OtherName),
        }
        Ok(Self { id: seen.id, is_attached: false })
    }

    /// Refuses the database when the files at `log` and `index`, or their absence, do not match what other
    /// processes use: then nothing may be read from it.
    pub(super) fn check_log(&self, log: &Path, index: &Path) -> Result<(), Refusal> {
        let found =
            look(log)?.zip(look(index)?).map(|(log, index)| [log.id.bytes(), index.id.bytes()].concat());
        let database = self.database().ok_or(ErrorKind::NotFound)?;
        if !is_said(&database, About::Log, found.as_deref())? {
            return Err(Refusal::OtherLog);
        }
        let log = match File::open(log) {
            Ok(log) => log,
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::PermissionDenied) => {
                return Ok(()); // SQLite says so if it matters
            }
            Err(error) => return Err(error.into()),
        };
        if is_said(&log, About::Database, Some(&self.id.bytes()))? { Ok(()) } else { Err(Refusal::OtherLog) }
    }

    /// Claims the log and its index, which SQLite has open by now, for this database and no other. Returns
    /// them open.
    pub(super) fn attach(&mut self, log: &Path, index: &Path) -> Result<(Arc<File>, File), Refusal> {
        let (Some(log_id), Some(index_id)) = (look(log)?, look(index)?) else {
            return Err(Refusal::OtherLog);
        };
        let said = [log_id.id.bytes(), index_id.id.bytes()].concat();
        let log = File::open(log)?;
        if !say(&log, About::Database, &self.id.bytes())? {
            return Err(Refusal::OtherLog);
        }
        let mut held = held();
        let held = held.get_mut(&self.id).ok_or(ErrorKind::NotFound)?;
        if held.attached == 0 && held.log.as_ref() != Some(&said) {
            unsay(&held.database, About::Log);
            held.indexes.push(Arc::new(File::open(index)?));
            held.log = Some(said);
        } else if held.log != Some(said) {
            return Err(Refusal::OtherLog);
        }
        let agreed = say(&held.database, About::Log, held.log.as_deref().unwrap_or_default())?;
        let index = held.indexes.last().cloned().ok_or(ErrorKind::NotFound)?;
        if !agreed {
            if held.attached == 0 {
                held.log = None;
                unsay(&held.database, About::Log);
            }
            return Err(Refusal::OtherLog);
        }
        held.attached += 1;
        self.is_attached = true;
        Ok((index, log))
    }

    /// The database, open.
    pub(super) fn database(&self) -> Option<Arc<File>> {
        held().get(&self.id).map(|held| Arc::clone(&held.database))
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let mut all = held();
        let Some(held) = all.get_mut(&self.id) else { return };
        held.claims -= 1;
        held.attached -= usize::from(self.is_attached);
        if held.attached == 0 {
            // The last connection that wrote has removed its log, or leaves it to the next process.
            held.log = None;
            unsay(&held.database, About::Log);
        }
        if held.claims == 0 {
            // The file is closed before another thread can open it again.
            all.remove(&self.id);
        }
    }
}

/// Opens a file to write where that is allowed, because an overlay file system makes another file of one in a
/// lower layer when a process first opens it to write.
fn open(path: &Path) -> io::Result<File> {
    match OpenOptions::new().read(true).write(true).open(path) {
        Err(error) if matches!(error.kind(), ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem) => {
            File::open(path)
        }
        opened => opened,
    }
}

/// The folder, whatever its name, and the file's name in it: SQLite derives the log's name from them.
fn name_of(path: &Path) -> io::Result<Vec<u8>> {
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(ErrorKind::InvalidInput.into());
    };
    let folder = look(folder)?.ok_or(ErrorKind::NotFound)?;
    Ok([&folder.id.bytes()[..], name.as_encoded_bytes()].concat())
}

/// The errors that users see.
impl Refusal {
    pub(super) fn of(self, path: &Path) -> StoreError {
        let path = path.display();
        match self {
            Self::OtherName => StoreError::Misplaced(format!(
                "another process has the database '{path}' open under another name, perhaps from before it was \
                 moved: stop that process first, then use one name"
            )),
            Self::OtherLog => StoreError::Misplaced(format!(
                "another process uses '{path}' with another log, because the file or '{path}-wal' was moved, \
                 deleted or replaced: stop that process first"
            )),
            Self::Io(error) if error.kind() == ErrorKind::PermissionDenied => {
                StoreError::Unreadable(format!("the database '{path}' cannot be read: check its permissions"))
            }
            Self::Io(error) => StoreError::Unavailable(format!("cannot open '{path}': {error}")),
        }
    }
}
