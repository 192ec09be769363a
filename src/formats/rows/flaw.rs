//! What is wrong with a record: in the words of the command line, and in those of the HTTP API.

use std::{borrow::Cow, fmt};

use data_encoding::DecodeError;

/// The longest external id, in bytes.
pub(super) const MAX_EXTERNAL_ID: usize = 1024;

/// The error for a NUL byte in text.
pub(super) const NUL: &str = "the text has a NUL byte: convert UTF-16 text to UTF-8 (see iconv), or give binary \
                              payloads as payload_base64 in jsonl or csv";

/// Why a record is refused. Its `Display` is for the command line, and may repeat text of the input.
#[derive(Debug)]
pub enum Flaw {
    /// The text has a NUL byte.
    Nul,
    /// An array stands where an object should.
    Array,
    /// Something else stands where an object should.
    NotAnObject,
    /// The object is not valid JSON, or has other fields.
    Json(serde_json::Error),
    /// The external id is empty.
    EmptyExternalId,
    /// The external id has this many bytes.
    LongExternalId(usize),
    /// The external id has a NUL character.
    NulInExternalId,
    /// The record has no payload.
    NoPayload,
    /// The record has two payloads.
    TwoPayloads,
    /// The payload is not base64.
    NotBase64(DecodeError),
    /// The payload has more bytes than this.
    TooLarge(usize),
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nul => f.write_str(NUL),
            Self::Array => f.write_str(ARRAY),
            Self::NotAnObject => {
                f.write_str("not an object: write one object per line, as in {\"payload\": \"text\"}")
            }
            Self::Json(error) => json(error, f),
            Self::EmptyExternalId => f.write_str("the external_id is empty: leave it out, or give one"),
            Self::LongExternalId(bytes) => {
                write!(f, "the external_id has {bytes} bytes: use at most {MAX_EXTERNAL_ID}")
            }
            Self::NulInExternalId => f.write_str(
                "the external_id has a NUL character, which not every database can store: remove it",
            ),
            Self::NoPayload => {
                f.write_str("the row has neither payload nor payload_base64: give one of them")
            }
            Self::TwoPayloads => f.write_str("the row has both payload and payload_base64: give one of them"),
            Self::NotBase64(error) => {
                write!(f, "the payload_base64 is not base64 (RFC 4648, with padding, in one line): {error}")
            }
            Self::TooLarge(max) => write!(
                f,
                "the payload is larger than {max} bytes: raise both limits, --max-payload here and 'signwave migrate \
                 --max-payload' for the database"
            ),
        }
    }
}

const ARRAY: &str = "not an object but an array: if the file is one array, run \"jq -c '.[]' \
                     FILE | signwave import - --format jsonl\"";

fn json(error: &serde_json::Error, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    // serde_json counts lines within the text. `Malformed` has the line in the file.
    let (is_eof, column, error) = (error.is_eof(), error.column(), error.to_string());
    let reason = error.rsplit_once(" at line").map_or(&*error, |(reason, _)| reason);
    let is_whole = !is_eof && !reason.starts_with("trailing characters");
    let advice = if is_whole { "" } else { ": write one whole object per line, as 'jq -c .' does" };
    write!(
        f,
        "not an object with external_id and payload or payload_base64: {reason} (column {column}){advice}"
    )
}

impl Flaw {
    /// A sentence for clients of the HTTP API. It repeats nothing of the input.
    pub fn sentence(&self) -> Cow<'static, str> {
        match self {
            Self::Nul => "The text has a NUL byte. Send binary payloads as payload_base64.".into(),
            Self::Array => "An array stands where an object is expected.".into(),
            Self::NotAnObject => "A JSON object is expected.".into(),
            Self::Json(error) => json_sentence(error).into(),
            Self::EmptyExternalId => "The external_id is empty.".into(),
            Self::LongExternalId(_) => {
                format!("The external_id has more than {MAX_EXTERNAL_ID} bytes.").into()
            }
            Self::NulInExternalId => "The external_id has a NUL character.".into(),
            Self::NoPayload => "Neither payload nor payload_base64 is there.".into(),
            Self::TwoPayloads => "Both payload and payload_base64 are there.".into(),
            Self::NotBase64(_) => {
                "The payload_base64 is not base64 with padding (RFC 4648, section 4).".into()
            }
            Self::TooLarge(max) => format!("The payload has more than {max} bytes.").into(),
        }
    }

    /// Whether the record would be accepted if its payload were smaller.
    pub fn is_too_large(&self) -> bool {
        matches!(self, Self::TooLarge(_))
    }
}

/// serde's own words repeat names and values, so that only their beginning is used.
fn json_sentence(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let place = match (error.line(), error.column()) {
        (0 | 1, column) => format!("column {column}"),
        (line, column) => format!("line {line}, column {column}"),
    };
    let what = match text.as_str() {
        text if text.starts_with("unknown field") => {
            "has a field besides external_id, payload and payload_base64"
        }
        text if text.starts_with("duplicate field") => "has the same field twice",
        text if text.starts_with("invalid type") => "has a field that is not a text",
        text if text.starts_with("trailing characters") => "is followed by something else",
        _ if error.is_eof() => "ends too early",
        _ => "is not valid JSON",
    };
    format!("The object {what} ({place}).")
}

#[cfg(test)]
mod tests {
    use super::super::object;

    #[test]
    fn a_client_learns_what_is_wrong_and_where_and_reads_nothing_of_what_it_sent() {
        for (text, expected) in [
            (
                "{\"payload\": \"a\", \"canary\": 1}",
                "The object has a field besides external_id, payload and payload_base64 (column 25).",
            ),
            (
                "{\"payload\": \"a\", \"payload\": \"canary\"}",
                "The object has the same field twice (column 26).",
            ),
            (
                "{\"external_id\": 7, \"payload\": \"a\"}",
                "The object has a field that is not a text (column 17).",
            ),
            ("{\"payload\": \"a\"} canary", "The object is followed by something else (column 18)."),
            ("{\n\"payload\":", "The object ends too early (line 2, column 10)."),
            ("{\"payload\": canary}", "The object is not valid JSON (column 13)."),
            ("[]", "An array stands where an object is expected."),
            ("\"canary\"", "A JSON object is expected."),
            ("{\"payload\": \"\0\"}", "The text has a NUL byte. Send binary payloads as payload_base64."),
            ("{}", "Neither payload nor payload_base64 is there."),
            (
                "{\"payload_base64\": \"canary!\"}",
                "The payload_base64 is not base64 with padding (RFC 4648, section 4).",
            ),
            ("{\"payload\": \"canary\"}", "The payload has more than 5 bytes."),
        ] {
            let sentence = object(text.as_bytes(), 5).unwrap_err().sentence();
            assert_eq!(sentence, expected, "{text}");
            assert!(!sentence.contains("canary"));
        }
    }
}
