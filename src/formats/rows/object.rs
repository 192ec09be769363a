//! A record as a JSON object: a line of a file, or the body of a request.

use std::borrow::Cow;

use serde::Deserialize;

use super::{
    flaw::Flaw,
    row::{Record, check_external_id, payload},
    text::check_no_nul,
};

/// Unknown fields are errors, because a mistyped name would otherwise be ignored.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Object<'a> {
    external_id: Option<String>,
    #[serde(borrow)]
    payload: Option<Cow<'a, str>>,
    #[serde(borrow)]
    payload_base64: Option<Cow<'a, str>>,
}

/// Reads one object, whose payload has no more than `max_payload` bytes.
///
/// # Errors
/// What is wrong with it.
pub fn object(text: &[u8], max_payload: usize) -> Result<Record, Flaw> {
    check_no_nul(text)?;
    // serde would also accept an array, with the fields by position.
    match text.trim_ascii_start().first() {
        Some(b'{') => {}
        Some(b'[') => return Err(Flaw::Array),
        _ => return Err(Flaw::NotAnObject),
    }
    let object: Object<'_> = serde_json::from_slice(text).map_err(Flaw::Json)?;
    if let Some(id) = &object.external_id {
        check_external_id(id)?;
    }
    let base64 = object.payload_base64.as_deref().map(str::as_bytes);
    let payload = payload(object.payload.as_deref().map(str::as_bytes), base64, max_payload)?;
    Ok(Record { external_id: object.external_id, payload })
}

/// The longest text of such an object in one line: every byte of the payload escaped as `\u0000`, and room for the
/// rest.
pub fn max_object(max_payload: usize) -> usize {
    max_payload.saturating_mul(6).saturating_add(1 << 16)
}
