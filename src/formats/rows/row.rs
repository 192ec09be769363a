//! One row of any format, and why a row is refused.

use data_encoding::{BASE64, DecodeError, DecodeKind};

use super::flaw::{Flaw, MAX_EXTERNAL_ID};
use crate::formats::shown::shown;

/// A record as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The caller's name for it.
    pub external_id: Option<String>,
    /// The bytes to be signed.
    pub payload: Vec<u8>,
}

/// A record, and where it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The record.
    pub record: Record,
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

/// Checks an external id.
///
/// # Errors
/// What is wrong with it.
pub fn check_external_id(id: &str) -> Result<(), Flaw> {
    if id.is_empty() {
        Err(Flaw::EmptyExternalId)
    } else if id.len() > MAX_EXTERNAL_ID {
        Err(Flaw::LongExternalId(id.len()))
    } else if id.contains('\0') {
        Err(Flaw::NulInExternalId)
    } else {
        Ok(())
    }
}

/// The payload, given as text or in base64, and no longer than `max` bytes.
pub(super) fn payload(plain: Option<&[u8]>, base64: Option<&[u8]>, max: usize) -> Result<Vec<u8>, Flaw> {
    let payload = match (plain, base64) {
        (Some(plain), None) => plain.to_vec(),
        (None, Some(base64)) => decode(base64).map_err(Flaw::NotBase64)?,
        (None, None) => return Err(Flaw::NoPayload),
        (Some(_), Some(_)) => return Err(Flaw::TwoPayloads),
    };
    if payload.len() > max { Err(Flaw::TooLarge(max)) } else { Ok(payload) }
}

/// Decodes one text. The decoder alone would accept several texts in a row, each with its padding.
fn decode(base64: &[u8]) -> Result<Vec<u8>, DecodeError> {
    let padding = |position| DecodeError { position, kind: DecodeKind::Padding };
    match base64.iter().position(|byte| *byte == b'=') {
        Some(position) if position + 2 < base64.len() => Err(padding(position)),
        _ => BASE64.decode(base64),
    }
}
