//! The lines of an anchor in a file.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Take},
    path::{Path, PathBuf},
};

use super::{
    AnchorError,
    anchor_file::first_line,
    error::LinePlace,
    line::{MAX_LENGTH, origin_of},
    tail::remembered,
};
use crate::domain::ledger::Origin;

/// The lines behind the first one.
pub(super) struct FileLines {
    path: PathBuf,
    lines: BufReader<Take<File>>,
    /// Where the next line begins.
    at: u64,
}

impl FileLines {
    /// Opens an anchor to read it. Says whose it is, and which incarnation came after that.
    pub(super) fn open(path: &Path) -> Result<(Origin, Option<Origin>, Self), AnchorError> {
        let failed = |error: io::Error| AnchorError::io(path, &error);
        let mut file = File::open(path).map_err(|error| AnchorError::opening(path, &error))?;
        if !file.metadata().map_err(failed)?.is_file() {
            return Err(AnchorError::NotAFile(path.into()));
        }
        let line = first_line(&file).map_err(failed)?;
        let origin = line.strip_suffix('\n').and_then(origin_of);
        let origin = origin.ok_or_else(|| AnchorError::NotAnAnchor(path.into()))?;
        let at = file.seek(SeekFrom::Start(line.len() as u64)).map_err(failed)?;
        let remembered = remembered(&file, at, path)?;
        let (path, lines) = (path.to_owned(), BufReader::new(file.take(remembered.end - at)));
        Ok((origin, remembered.succeeded, Self { path, lines, at }))
    }

    /// The next line with its place; `None` at the end.
    pub(super) fn next_line(&mut self) -> Result<Option<(LinePlace, Vec<u8>)>, AnchorError> {
        let (mut line, at) = (Vec::new(), self.at);
        let read = self.lines.by_ref().take(MAX_LENGTH as u64 + 1).read_until(b'\n', &mut line);
        self.at += read.map_err(|error| AnchorError::io(&self.path, &error))? as u64;
        match line.pop() {
            Some(b'\n') => Ok(Some((LinePlace::Byte(at), line))),
            _ if line.len() < MAX_LENGTH => Ok(None),
            _ => Err(AnchorError::Damaged { anchor: self.path.as_path().into(), at: LinePlace::Byte(at) }),
        }
    }
}
