//! Records as files have them: JSON lines, CSV, or plain lines.

mod csv;
mod fields;
mod flaw;
mod format;
mod jsonl;
mod lines;
mod object;
mod row;
mod splitter;
mod text;

use std::io::Read;

use self::text::text;
pub use self::{
    flaw::Flaw,
    format::Format,
    object::{max_object, object},
    row::{Malformed, Record, Row, Rows, check_external_id},
    splitter::{Splitter, TooLong},
};

/// Reads the rows of `input`, none with more than `max_payload` bytes.
///
/// # Errors
/// When the first bytes show that the input is not text, or has another format.
pub fn rows<'a>(
    format: Format,
    input: impl Read + 'a,
    max_payload: usize,
) -> Result<Box<dyn Rows + 'a>, Malformed> {
    let input = text(input, format)?;
    Ok(match format {
        Format::Jsonl => Box::new(jsonl::Jsonl::new(input, max_payload)),
        Format::Csv => Box::new(csv::Csv::new(input, max_payload)),
        Format::Lines => Box::new(lines::Lines::new(input, max_payload)),
    })
}
