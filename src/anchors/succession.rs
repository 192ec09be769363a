//! The anchors of an incarnation that begins when a restore is accepted.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use super::{
    AnchorAddress, AnchorError,
    anchor_file::{AnchorFile, sync_folder},
    database,
    line::{Line, header},
    read::read,
};
use crate::domain::ledger::{Head, Origin};

/// Ends the anchor of an incarnation, sets it aside, as `PATH.1` for the first one, or `#NAME.1` in a database, and begins that of
/// the next one, which knows its head, in its place. Returns where the earlier one is. That cannot be used any more for another
/// database that is put back: what was signed since then is not in it.
///
/// What if we die here? The anchor is the earlier one or the later one, complete. Calling this again does what is left.
///
/// # Errors
/// When the anchor is in use, cannot be read or written, or belongs to neither incarnation; when another file has the name
/// under which it would be set aside.
pub fn succeed(
    anchor: &AnchorAddress,
    from: Origin,
    to: Origin,
    head: Head,
) -> Result<AnchorAddress, AnchorError> {
    let is_done = read(anchor)?.origin() == to;
    match anchor {
        AnchorAddress::Postgres(rows) if is_done => Ok(database::aside(rows, from)),
        AnchorAddress::Postgres(rows) => database::succeed(rows, from, to, head),
        AnchorAddress::File(path) => {
            let aside = PathBuf::from(format!("{}{}", path.display(), end_of(from)));
            if !is_done {
                succeed_file(path, &aside, [from, to], head)?;
            }
            Ok(aside.into())
        }
    }
}

fn succeed_file(path: &Path, aside: &Path, [from, to]: [Origin; 2], head: Head) -> Result<(), AnchorError> {
    let begun = PathBuf::from(format!("{}.new", path.display()));
    let (mut earlier, remembered) = AnchorFile::open_to_end(path, from, false)?;
    match remembered.succeeded {
        None => earlier.append_synced(&format!("{}\n", Line::Succeeded { by: to }))?,
        Some(by) if by == to => {}
        Some(by) => return Err(AnchorError::Succeeded { anchor: path.into(), by }),
    }
    let done =
        begin(&begun, to, head).and_then(|()| link(path, aside)).and_then(|()| fs::rename(&begun, path));
    done.and_then(|()| sync_folder(path)).map_err(|error| AnchorError::io(path, &error))
}

/// Whether an anchor of this incarnation has the name under which it is set aside.
pub fn is_aside(anchor: &AnchorAddress, origin: Origin) -> bool {
    match anchor {
        AnchorAddress::File(path) => path.as_os_str().as_encoded_bytes().ends_with(end_of(origin).as_bytes()),
        AnchorAddress::Postgres(rows) => rows.aside == Some(origin.incarnation.get()),
    }
}

/// How the names of anchors end that were set aside.
fn end_of(origin: Origin) -> String {
    format!(".{}", origin.incarnation)
}

/// Writes a whole anchor, which no process uses yet.
fn begin(path: &Path, origin: Origin, head: Head) -> io::Result<()> {
    let mut options = OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(format!("{}{}\n", header(origin), Line::Seen(head)).as_bytes())?;
    file.sync_all()
}

/// Gives a file a second name, unless it has that already.
fn link(path: &Path, aside: &Path) -> io::Result<()> {
    match fs::hard_link(path, aside) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            let id = |path| fs::metadata(path).map(|found| (found.dev(), found.ino()));
            if id(path)? == id(aside)? { Ok(()) } else { Err(error) }
        }
        linked => linked,
    }
}
