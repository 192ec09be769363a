//! Pages of an answer: as much of it as is read and sent at a time.

use std::{
    io::{self, Write},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::{Begun, form::Writer, options::Wanted};
use crate::{
    formats::feed::{ReadError, Reader, Refusal, Visit},
    store::{Feed, StoreError},
};

/// How much text a page has, if its last row is not longer.
const BYTES: usize = 512 << 10;

/// Rows behind a position, and how far they are written.
pub struct Pages {
    reader: Reader,
    writer: Writer<Text>,
    text: Text,
    with_payload: bool,
    /// How many more rows may be written.
    left: Option<u64>,
    is_empty: bool,
}

/// A part of an answer.
pub struct Page {
    /// The text.
    pub text: Vec<u8>,
    /// Whether it is the last part for now.
    pub is_last: bool,
}

impl Pages {
    /// The rows that a client wants, of which none is written yet, and the position behind them.
    ///
    /// # Errors
    /// Those of the store.
    pub fn begin(store: &dyn Feed, wanted: Wanted) -> Begun<Self> {
        let mut reader = match Reader::begin(store, wanted.after)? {
            Ok(reader) => reader,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let end = match wanted.limit {
            Some(limit) => reader.ahead(store, limit)?,
            None => reader.end(),
        };
        let (text, is_empty) = (Text::default(), reader.is_at_end());
        let writer = Writer::new(wanted.form, text.clone(), wanted.with_payload).map_err(broken)?;
        let (with_payload, left) = (wanted.with_payload, wanted.limit.map(|limit| limit as u64));
        Ok(Ok((Self { reader, writer, text, with_payload, left, is_empty }, end)))
    }

    /// Whether there was no row at the beginning.
    pub fn is_empty(&self) -> bool {
        self.is_empty
    }

    /// Looks whether the feed has more by now.
    ///
    /// # Errors
    /// Those of the store.
    pub fn look(&mut self, store: &dyn Feed) -> Result<Result<bool, Refusal>, StoreError> {
        Ok(self.reader.look(store)?.map(|()| !self.reader.is_at_end()))
    }

    /// Reads the next page.
    ///
    /// # Errors
    /// Those of the store; [`StoreError::Corrupt`] when a signature is missing.
    pub fn next(&mut self, store: &dyn Feed) -> Result<Page, StoreError> {
        let (writer, text, left) = (&mut self.writer, &self.text, &mut self.left);
        let read = self.reader.read(store, self.with_payload, &mut |row| {
            writer.write(row)?;
            *left = left.map(|left| left - 1);
            let is_full = text.len() >= BYTES || *left == Some(0);
            Ok(if is_full { Visit::Enough } else { Visit::GoOn })
        });
        read.map_err(|error| match error {
            ReadError::Store(error) => error,
            ReadError::Visitor(error) => broken(error),
        })?;
        let is_last = self.reader.is_at_end() || self.left == Some(0);
        if is_last {
            self.writer.end(&self.reader.position().to_string()).map_err(broken)?;
        }
        Ok(Page { text: self.text.take(), is_last })
    }
}

fn broken(error: io::Error) -> StoreError {
    StoreError::Other(format!("a row cannot be written: {error}"))
}

/// A text in memory. Clones share one text: one clone is written to, and the other is emptied.
#[derive(Clone, Default)]
pub struct Text(Arc<Mutex<Vec<u8>>>);

impl Text {
    fn len(&self) -> usize {
        self.lock().len()
    }

    fn take(&self) -> Vec<u8> {
        std::mem::take(&mut *self.lock())
    }

    fn lock(&self) -> MutexGuard<'_, Vec<u8>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Write for Text {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
