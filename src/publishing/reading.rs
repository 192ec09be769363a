//! Reads chunks on a thread of the database.

use super::chunk::Chunk;
use crate::{
    domain::{Place, Position},
    formats::feed::{Reader, Refusal},
    store::{Feed, StoreError},
};

/// What was read, or why the feed has nothing behind the position.
pub type Read = Result<Found, Refusal>;

/// What was read.
pub struct Found {
    /// The reader, to go on with.
    pub reader: Reader,
    /// The chunks.
    pub chunks: Vec<Chunk>,
    /// The last place of the feed.
    pub end: Place,
}

/// Reads up to `limit` chunks behind `after`, where the reader is, if there is one.
///
/// # Errors
/// Those of the store.
pub fn read(
    store: &dyn Feed,
    reader: Option<Reader>,
    after: Position,
    limit: usize,
) -> Result<Read, StoreError> {
    let mut reader = match reader {
        None => match Reader::begin(store, Some(after))? {
            Ok(reader) => reader,
            Err(refusal) => return Ok(Err(refusal)),
        },
        Some(mut reader) => {
            if reader.is_at_end()
                && let Err(refusal) = reader.look(store)?
            {
                return Ok(Err(refusal));
            }
            reader
        }
    };
    let mut chunks = Vec::new();
    while chunks.len() < limit
        && let Some(chunk) = Chunk::read(&mut reader, store)?
    {
        chunks.push(chunk);
    }
    let end = reader.end().place;
    Ok(Ok(Found { reader, chunks, end }))
}
