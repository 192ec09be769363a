//! JSON lines: one object per line.

use std::{borrow::Cow, io::BufRead};

use serde::Deserialize;

use super::{
    lines::{Line, read_line},
    row::{Malformed, Row, Rows, check_external_id, payload, too_large},
    text::{check_no_nul, unreadable},
};

/// A file of JSON objects.
pub struct Jsonl<R> {
    input: R,
    max_payload: usize,
    line: u64,
}

/// One line. Unknown fields are errors, because a mistyped name would otherwise be ignored.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Object<'a> {
    external_id: Option<String>,
    #[serde(borrow)]
    payload: Option<Cow<'a, str>>,
    #[serde(borrow)]
    payload_base64: Option<Cow<'a, str>>,
}

impl<R: BufRead> Jsonl<R> {
    /// Reads `input`.
    pub fn new(input: R, max_payload: usize) -> Self {
        Self { input, max_payload, line: 0 }
    }

    /// The longest line: every byte of the payload escaped as `\u0000`, and room for the rest.
    fn max_line(&self) -> usize {
        self.max_payload.saturating_mul(6).saturating_add(1 << 16)
    }

    fn parse(&self, text: &[u8]) -> Result<Row, String> {
        check_no_nul(text)?;
        // serde would also accept an array, with the fields by position.
        match text.trim_ascii_start().first() {
            Some(b'{') => {}
            Some(b'[') => return Err(ARRAY.to_owned()),
            _ => {
                return Err(
                    "not an object: write one object per line, as in {\"payload\": \"text\"}".to_owned()
                );
            }
        }
        let object: Object<'_> = serde_json::from_slice(text).map_err(|error| {
            // serde_json always counts line 1. `Malformed` has the line in the file.
            let column = error.column();
            let (is_eof, error) = (error.is_eof(), error.to_string());
            let reason = error.rsplit_once(" at line").map_or(&*error, |(reason, _)| reason);
            let is_whole = !is_eof && !reason.starts_with("trailing characters");
            let advice = if is_whole { "" } else { ": write one whole object per line, as 'jq -c .' does" };
            format!("not an object with external_id and payload or payload_base64: {reason} (column {column}){advice}")
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

impl<R: BufRead> Rows for Jsonl<R> {
    fn next(&mut self) -> Result<Option<Row>, Malformed> {
        loop {
            self.line += 1;
            let max_line = self.max_line();
            let read = match read_line(&mut self.input, max_line) {
                Ok(Line::End) => return Ok(None),
                Ok(Line::Whole(text) | Line::Last(text)) if text.trim_ascii().is_empty() => continue,
                Ok(Line::Whole(text) | Line::Last(text)) => self.parse(&text),
                Ok(Line::TooLong) => Err(too_large(self.max_payload)),
                Err(error) => Err(unreadable(&error)),
            };
            return read.map(Some).map_err(|reason| Malformed::new(self.line, &reason));
        }
    }
}

const ARRAY: &str = "not an object but an array: if the file is one array, run \"jq -c '.[]' \
                     FILE | signwave import - --format jsonl\"";

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
            ("{\"payload\": \"a\"", "EOF while parsing an object (column 15): write"),
            ("{", "one whole object per line"),
            ("[]", "not an object"),
            ("[\"a\",\"x\",null]", "not an object"),
            (" [{\"payload\": \"a\"}]", "jq -c '.[]'"),
            ("\"payload\"", "not an object"),
            ("null", "not an object"),
            ("external_id,payload", "not an object"),
            ("\u{feff}{\"payload\": \"a\"}", "not an object"),
            ("{\"payload\": \"a\"} {\"payload\": \"b\"}", "one whole object per line"),
            ("{\"payload\": \"a\"},", "trailing characters"),
            ("{\"payload\": \"a\",}", "trailing comma"),
            ("{\"payl\\u006fad\": \"a\", \"payload\": \"b\"}", "duplicate field `payload`"),
            ("{\"payload\": null, \"payload\": \"b\"}", "duplicate field `payload`"),
            ("{\"external_id\": null, \"external_id\": \"b\", \"payload\": \"b\"}", "duplicate field"),
            ("{\"Payload\": \"a\"}", "unknown field `Payload`"),
            ("{\"payload\": null}", "neither payload nor payload_base64"),
            ("{\"payload\": {\"a\": 1}}", "invalid type: map"),
            ("{\"payload\": [65]}", "invalid type: sequence"),
            ("{\"payload\": true}", "invalid type: boolean"),
            ("{\"external_id\": 7, \"payload\": \"a\"}", "invalid type: integer"),
            ("{\"external_id\": [\"a\"], \"payload\": \"a\"}", "invalid type: sequence"),
            ("{\"payload\": \"a\tb\"}", "control character"),
            ("{\"payload_base64\": \"Y Q==\"}", "not base64"),
            ("{\"payload_base64\": \"_w==\"}", "not base64"),
            ("{\"payload_base64\": \"YR==\"}", "not base64"),
            ("{\"payload\": \"\\udc00\"}", "surrogate"),
            ("{\"payload\": \"\\ud800x\"}", "hex escape"),
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
