//! One row of any format, and why a row is refused.

use data_encoding::{BASE64, DecodeError, DecodeKind};

use crate::formats::shown::shown;

/// A record as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The caller's name for it.
    pub external_id: Option<String>,
    /// The bytes to be signed.
    pub payload: Vec<u8>,
    /// The line on which it begins, from 1.
    pub line: u64,
}

/// A row that cannot be imported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Malformed {
    /// The line to correct, from 1: the first of the row or, in a row of several lines, the one with the error.
    pub line: u64,
    /// What is wrong, and how to correct it.
    pub reason: String,
}

impl Malformed {
    /// An error on `line`. The reason is sanitised, because it may repeat text of the file.
    pub fn new(line: u64, reason: &str) -> Self {
        Self { line, reason: shown(reason) }
    }
}

/// A file of rows, in any format.
pub trait Rows {
    /// The next row; `None` at the end.
    fn next(&mut self) -> Result<Option<Row>, Malformed>;
}

/// The longest external id.
const MAX_EXTERNAL_ID: usize = 1024;

/// Checks an external id.
pub fn check_external_id(id: &str) -> Result<(), String> {
    if id.is_empty() {
        Err("the external_id is empty: leave it out, or give one".to_owned())
    } else if id.len() > MAX_EXTERNAL_ID {
        Err(format!("the external_id has {} bytes: use at most {MAX_EXTERNAL_ID}", id.len()))
    } else if id.contains('\0') {
        Err("the external_id has a NUL character, which not every database can store: remove it".to_owned())
    } else {
        Ok(())
    }
}

/// The payload, given as text or in base64, and no longer than `max` bytes.
pub fn payload(plain: Option<&[u8]>, base64: Option<&[u8]>, max: usize) -> Result<Vec<u8>, String> {
    let payload = match (plain, base64) {
        (Some(plain), None) => plain.to_vec(),
        (None, Some(base64)) => decode(base64).map_err(|error| {
            format!("the payload_base64 is not base64 (RFC 4648, with padding, in one line): {error}")
        })?,
        (None, None) => {
            return Err("the row has neither payload nor payload_base64: give one of them".to_owned());
        }
        (Some(_), Some(_)) => {
            return Err("the row has both payload and payload_base64: give one of them".to_owned());
        }
    };
    if payload.len() > max { Err(too_large(max)) } else { Ok(payload) }
}

/// Decodes one text. The decoder alone would accept several texts in a row, each with its padding.
fn decode(base64: &[u8]) -> Result<Vec<u8>, DecodeError> {
    let padding = |position| DecodeError { position, kind: DecodeKind::Padding };
    match base64.iter().position(|byte| *byte == b'=') {
        Some(position) if position + 2 < base64.len() => Err(padding(position)),
        _ => BASE64.decode(base64),
    }
}

/// The error for a payload over the limit.
pub fn too_large(max: usize) -> String {
    format!(
        "the payload is larger than {max} bytes: raise both limits, --max-payload here and 'signwave migrate \
         --max-payload' for the database"
    )
}
