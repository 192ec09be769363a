//! JSON lines: one object per line.

use std::io::BufRead;

use super::{
    flaw::Flaw,
    lines::{Line, read_line},
    object::{max_object, object},
    row::{Malformed, Row, Rows},
    text::unreadable,
};

/// A file of JSON objects.
pub struct Jsonl<R> {
    input: R,
    max_payload: usize,
    line: u64,
}

impl<R: BufRead> Jsonl<R> {
    /// Reads `input`.
    pub fn new(input: R, max_payload: usize) -> Self {
        Self { input, max_payload, line: 0 }
    }
}

impl<R: BufRead> Rows for Jsonl<R> {
    fn next(&mut self) -> Result<Option<Row>, Malformed> {
        loop {
            self.line += 1;
            let read = match read_line(&mut self.input, max_object(self.max_payload)) {
                Ok(Line::End) => return Ok(None),
                Ok(Line::Whole(text) | Line::Last(text)) if text.trim_ascii().is_empty() => continue,
                Ok(Line::Whole(text) | Line::Last(text)) => object(&text, self.max_payload),
                Ok(Line::TooLong) => Err(Flaw::TooLarge(self.max_payload)),
                Err(error) => return Err(Malformed::new(self.line, &unreadable(&error))),
            };
            return match read {
                Ok(record) => Ok(Some(Row { record, line: self.line })),
                Err(flaw) => Err(Malformed::new(self.line, &flaw.to_string())),
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{super::row::Record, *};

    fn read(text: &str) -> Result<Vec<Row>, Malformed> {
        let mut rows = Jsonl::new(text.as_bytes(), 10);
        std::iter::from_fn(|| rows.next().transpose()).collect()
    }

    #[test]
    fn objects_become_rows_with_their_lines() {
        let text = "{\"external_id\": \"a\", \"payload\": \"h\\u00e9\\n\"}\n\n{\"payload_base64\": \"/wA=\"}\r\n{\"external_id\":null,\"payload\":\"\"}";
        let row = |id: Option<&str>, payload: &[u8], line| Row {
            record: Record { external_id: id.map(str::to_owned), payload: payload.to_vec() },
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
