//! JSON lines: one object a line.

use std::{
    borrow::Cow,
    io::{BufReader, Read},
};

use serde::Deserialize;

use super::{
    lines::{Line, read_line},
    row::{Malformed, Row, Rows, check_external_id, payload},
};

/// A file of JSON objects.
pub struct Jsonl<R> {
    input: BufReader<R>,
    max_payload: usize,
    line: u64,
}

/// One line. Unknown fields are errors: a mistyped one would be ignored.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Object<'a> {
    external_id: Option<String>,
    #[serde(borrow)]
    payload: Option<Cow<'a, str>>,
    #[serde(borrow)]
    payload_base64: Option<Cow<'a, str>>,
}

impl<R: Read> Jsonl<R> {
    /// Reads `input`.
    pub fn new(input: R, max_payload: usize) -> Self {
        Self { input: BufReader::with_capacity(1 << 16, input), max_payload, line: 0 }
    }

    /// The longest line: every byte of the payload escaped as `\u0000`, and room for the rest.
    fn max_line(&self) -> usize {
        self.max_payload.saturating_mul(6).saturating_add(1 << 16)
    }

    fn parse(&self, text: &[u8]) -> Result<Row, String> {
        let object: Object<'_> = serde_json::from_slice(text).map_err(|error| {
            // The line that serde_json counts is always the first; the row's own is said elsewhere.
            let column = error.column();
            let error = error.to_string();
            let reason = error.rsplit_once(" at line").map_or(&*error, |(reason, _)| reason);
            format!("not an object of external_id and payload or payload_base64: {reason} (column {column})")
        })?;
        if let Some(id) = &object.external_id {
            check_external_id(id)?;
        }
        let bytes = |text: &Option<Cow<'_, str>>| text.as_ref().map(|text| text.as_bytes().to_vec());
        let (plain, base64) = (bytes(&object.payload), bytes(&object.payload_base64));
        let payload = payload(plain.as_deref(), base64.as_deref(), self.max_payload)?;
        Ok(Row { external_id: object.external_id, payload, line: self.line })
    }
}

impl<R: Read> Rows for Jsonl<R> {
    fn next(&mut self) -> Result<Option<Row>, Malformed> {
        loop {
            self.line += 1;
            let max_line = self.max_line();
            let read = match read_line(&mut self.input, max_line) {
                Ok(Line::End) => return Ok(None),
                Ok(Line::Is(text)) if text.trim_ascii().is_empty() => continue,
                Ok(Line::Is(text)) => self.parse(&text),
                Ok(Line::TooLong) => Err(super::row::too_large(self.max_payload)),
                Err(error) => Err(format!("it cannot be read: {error}")),
            };
            return read.map(Some).map_err(|reason| Malformed::new(self.line, &reason));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<Row>, Malformed> {
        let mut rows = Jsonl::new(text.as_bytes(), 10);
        std::iter::from_fn(|| rows.next().transpose()).collect()
    }

    #[test]
    fn objects_become_rows_with_their_lines() {
        let text = "{\"external_id\": \"a\", \"payload\": \"h\\u00e9\\n\"}\n\n{\"payload_base64\": \"/wA=\"}\r\n{\"external_id\":null,\"payload\":\"\"}";
        let row = |id: Option<&str>, payload: &[u8], line| Row {
            external_id: id.map(str::to_owned),
            payload: payload.to_vec(),
            line,
        };
        let expected = [row(Some("a"), "hé\n".as_bytes(), 1), row(None, b"\xff\0", 3), row(None, b"", 4)];
        assert_eq!(read(text).unwrap(), expected);
    }

    #[test]
    fn each_malformed_line_says_what_is_wrong() {
        for (line, reason) in [
            ("{\"payload\": \"a\"", "EOF while parsing an object (column 15)"),
            ("[]", "not an object"),
            ("{\"payload\": \"a\", \"extrenal_id\": \"b\"}", "unknown field `extrenal_id`"),
            ("{\"payload\": \"a\", \"payload\": \"b\"}", "duplicate field `payload`"),
            ("{\"payload\": 1}", "invalid type: integer `1`"),
            ("{\"external_id\": \"a\"}", "neither payload nor payload_base64"),
            ("{\"payload\": \"a\", \"payload_base64\": \"YQ==\"}", "both payload and payload_base64"),
            ("{\"payload_base64\": \"YQ\"}", "not base64"),
            ("{\"payload_base64\": \"YQ==YQ==\"}", "not base64"),
            ("{\"payload_base64\": \"YWI=YQ==\"}", "not base64"),
            ("{\"external_id\": \"\", \"payload\": \"a\"}", "external_id is empty"),
            ("{\"external_id\": \"\\u0000\", \"payload\": \"a\"}", "NUL"),
            ("{\"payload\": \"12345678901\"}", "larger than 10 bytes"),
            ("{\"payload\": \"\\ud800\"}", "hex escape"),
        ] {
            let malformed = read(&format!("{{\"payload\": \"ok\"}}\n{line}\n")).unwrap_err();
            assert!(malformed.reason.contains(reason), "{line}: {}", malformed.reason);
            assert_eq!(malformed.line, 2, "{line}");
        }
    }
}
