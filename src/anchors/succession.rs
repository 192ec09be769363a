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
            let (path, aside) = file_and_aside(path, from)?;
            if !is_done {
                succeed_file(&path, &aside, [from, to], head)?;
            }
            Ok(aside.into())
        }
    }
}

/// Refuses an anchor that cannot be set aside because something else has the name.
///
/// # Errors
/// [`AnchorError::AsideTaken`], or when a file cannot be looked at.
pub fn check_aside(anchors: &[AnchorAddress], from: Origin) -> Result<(), AnchorError> {
    for anchor in anchors {
        if let AnchorAddress::File(path) = anchor {
            let (path, aside) = file_and_aside(path, from)?;
            refuse_taken(&path, &aside)?;
        }
    }
    Ok(())
}

/// Refuses anchors of which two are the same, also by another name.
///
/// # Errors
/// [`AnchorError::Twice`].
pub fn check_distinct(anchors: &[AnchorAddress]) -> Result<(), AnchorError> {
    for (place, anchor) in anchors.iter().enumerate() {
        if let Some(other) = anchors[..place].iter().find(|other| is_same(anchor, other)) {
            return Err(AnchorError::Twice { anchor: anchor.clone(), other: other.to_string() });
        }
    }
    Ok(())
}

fn is_same(anchor: &AnchorAddress, other: &AnchorAddress) -> bool {
    match (anchor, other) {
        (AnchorAddress::File(path), AnchorAddress::File(other)) if path != other => {
            file_id(path).is_ok_and(|id| file_id(other).is_ok_and(|other| id == other))
        }
        _ => anchor == other,
    }
}

/// The file that an anchor is, where a symbolic link leads to, and where it is set aside.
fn file_and_aside(path: &Path, from: Origin) -> Result<(PathBuf, PathBuf), AnchorError> {
    let is_link = fs::symlink_metadata(path).is_ok_and(|found| found.is_symlink());
    let file = if is_link { fs::canonicalize(path) } else { Ok(path.to_owned()) };
    let file = file.map_err(|error| AnchorError::opening(path, &error))?;
    let aside = PathBuf::from(format!("{}{}", file.display(), end_of(from)));
    Ok((file, aside))
}

/// Refuses to set a file aside where something else is. The file itself is there if this was killed.
fn refuse_taken(path: &Path, aside: &Path) -> Result<(), AnchorError> {
    match fs::symlink_metadata(aside) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(AnchorError::io(path, &error)),
        Ok(found) if file_id(path).is_ok_and(|id| id == (found.dev(), found.ino())) => Ok(()),
        Ok(_) => Err(AnchorError::AsideTaken { anchor: path.into(), aside: aside.display().to_string() }),
    }
}

/// What tells files apart.
fn file_id(path: &Path) -> io::Result<(u64, u64)> {
    fs::metadata(path).map(|found| (found.dev(), found.ino()))
}

fn succeed_file(path: &Path, aside: &Path, [from, to]: [Origin; 2], head: Head) -> Result<(), AnchorError> {
    refuse_taken(path, aside)?;
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
            let is_done = file_id(path)? == file_id(aside)?;
            if is_done { Ok(()) } else { Err(error) }
        }
        linked => linked,
    }
}
