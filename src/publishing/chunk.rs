//! Chunks: signatures of one batch as one message.

use std::io;

use crate::{
    domain::Position,
    formats::{
        cloud_event::{self, Head},
        feed::{ReadError, Reader, Visit},
        signatures::{Also, Format, Sink},
    },
    store::{Feed, StoreError},
};

/// Consecutive signatures of one batch. How a batch is cut depends on nothing but the batch, so that a chunk which is sent
/// again has the same id and the same bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// The position behind the last signature: the id of the message.
    pub position: Position,
    /// How many signatures it has.
    pub signatures: u64,
    /// A CloudEvent in the structured JSON format, of at most [`Chunk::MOST_BYTES`].
    pub body: Vec<u8>,
}

/// Bytes of rows after which a chunk is full. The longest row has less than 8 KiB: 1,024 bytes of an external id, each
/// of which JSON may write as six, and a signature of 1,024 bytes in base64.
const FULL: usize = 55 << 10;

impl Chunk {
    /// The largest body: intermediaries of CloudEvents must forward so much.
    pub const MOST_BYTES: usize = 64 << 10;

    /// The type of the events.
    pub const TYPE: &str = "signwave.signatures.v1";

    /// The URI of the schema of their data.
    pub const SCHEMA: &str = "urn:signwave:schema:signatures:v1";

    /// Reads the next chunk; `None` at the end that was there at the reader's last look.
    ///
    /// # Errors
    /// Those of the store.
    pub fn read(reader: &mut Reader, store: &dyn Feed) -> Result<Option<Self>, StoreError> {
        let (after, mut rows, mut signed_at) = (reader.position(), Vec::new(), String::new());
        let also = Also { payload: false, position: true };
        let read = reader.read(store, false, &mut |row| {
            rows.push(if rows.is_empty() { b'[' } else { b',' });
            Sink::new(Format::Jsonl, &mut rows, also)?.write(row)?;
            row.signed_at.clone_into(&mut signed_at);
            let position = row.position.and_then(|text| text.parse::<Position>().ok());
            let ends_batch = position.is_some_and(|position| position.records == 0);
            Ok(if ends_batch || rows.len() >= FULL { Visit::Enough } else { Visit::GoOn })
        });
        let signatures = read.map_err(|error| match error {
            ReadError::Store(error) => error,
            ReadError::Visitor(error) => broken(error),
        })?;
        if signatures == 0 {
            return Ok(None);
        }
        let position = reader.position();
        let head = Head {
            kind: Self::TYPE,
            source: &format!("urn:signwave:{}", position.feed),
            id: &position.to_string(),
            time: &signed_at,
            subject: None,
            extensions: &[("dataschema", Self::SCHEMA), ("after", &after.to_string())],
        };
        let mut body = Vec::with_capacity(rows.len() + 512);
        cloud_event::begin(&mut body, &head).map_err(broken)?;
        body.extend_from_slice(&rows);
        body.extend_from_slice(b"]}");
        Ok(Some(Self { position, signatures, body }))
    }
}

fn broken(error: io::Error) -> StoreError {
    StoreError::Other(format!("a row cannot be written: {error}"))
}
