//! Signatures as JSON lines or CSV.

use std::io::{self, Write};

use data_encoding::BASE64;
use serde::Serialize;

use crate::domain::{RecordId, Scheme};

/// How to write signatures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// JSON lines: one object a line.
    Jsonl,
    /// CSV as in RFC 4180, with a header.
    Csv,
}

impl Format {
    /// Every format.
    pub const ALL: [Self; 2] = [Self::Jsonl, Self::Csv];

    /// The name, as the command line has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Jsonl => "jsonl",
            Self::Csv => "csv",
        }
    }
}

/// A signed record.
pub struct Row<'a> {
    /// The record.
    pub record_id: RecordId,
    /// Its owner's name for it.
    pub external_id: Option<&'a str>,
    /// The fingerprint of the key, in hexadecimal.
    pub fingerprint: &'a str,
    /// The scheme of the signature.
    pub scheme: Scheme,
    /// When the batch was signed (RFC 3339).
    pub signed_at: &'a str,
    /// The signature's bytes.
    pub signature: &'a [u8],
    /// The payload, if it is to be written.
    pub payload: Option<&'a [u8]>,
    /// The position behind this row, for a reader of the feed.
    pub position: Option<&'a str>,
}

/// What is written beside the signatures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Also {
    /// The payloads.
    pub payload: bool,
    /// The position behind each row.
    pub position: bool,
}

/// Where rows go.
pub struct Sink<W: Write> {
    out: Out<W>,
    /// Reused from row to row.
    signature: String,
    payload: String,
    line: Vec<u8>,
}

enum Out<W: Write> {
    Jsonl(W),
    Csv(Box<csv::Writer<W>>),
}

const COLUMNS: [&str; 6] = ["record_id", "external_id", "fingerprint", "scheme", "signed_at", "signature"];

/// What is written, with the names that readers rely on.
#[derive(Serialize)]
struct Written<'a> {
    record_id: i64,
    external_id: Option<&'a str>,
    fingerprint: &'a str,
    scheme: &'static str,
    signed_at: &'a str,
    signature: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload_base64: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    position: Option<&'a str>,
}

impl<W: Write> Sink<W> {
    /// Writes the header, where the format has one.
    pub fn new(format: Format, out: W, also: Also) -> io::Result<Self> {
        let out = match format {
            Format::Jsonl => Out::Jsonl(out),
            Format::Csv => {
                let mut csv = csv::WriterBuilder::new().has_headers(false).from_writer(out);
                let payload = also.payload.then_some("payload_base64");
                let position = also.position.then_some("position");
                csv.write_record(COLUMNS.into_iter().chain(payload).chain(position)).map_err(plain)?;
                Out::Csv(Box::new(csv))
            }
        };
        Ok(Self { out, signature: String::new(), payload: String::new(), line: Vec::new() })
    }

    /// Writes a row.
    pub fn write(&mut self, row: &Row<'_>) -> io::Result<()> {
        self.signature.clear();
        BASE64.encode_append(row.signature, &mut self.signature);
        self.payload.clear();
        BASE64.encode_append(row.payload.unwrap_or_default(), &mut self.payload);
        let written = Written {
            record_id: row.record_id.0,
            external_id: row.external_id,
            fingerprint: row.fingerprint,
            scheme: row.scheme.name(),
            signed_at: row.signed_at,
            signature: &self.signature,
            payload_base64: row.payload.map(|_| self.payload.as_str()),
            position: row.position,
        };
        match &mut self.out {
            Out::Jsonl(out) => {
                // In one piece, because serde_json writes each name and each value by itself.
                self.line.clear();
                serde_json::to_writer(&mut self.line, &written)?;
                self.line.push(b'\n');
                out.write_all(&self.line)
            }
            Out::Csv(csv) => csv.serialize(written).map_err(plain),
        }
    }

    /// Hands on what was written so far.
    pub fn flush(&mut self) -> io::Result<()> {
        match &mut self.out {
            Out::Jsonl(out) => out.flush(),
            Out::Csv(csv) => csv.flush(),
        }
    }

    /// Writes what is still in memory.
    pub fn finish(self) -> io::Result<()> {
        match self.out {
            Out::Jsonl(mut out) => out.flush(),
            Out::Csv(mut csv) => csv.flush(),
        }
    }
}

/// The underlying I/O error. Its kind tells callers a broken pipe from a full disk.
fn plain(error: csv::Error) -> io::Error {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => error,
        kind => io::Error::other(format!("{kind:?}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(format: Format, also: Also) -> String {
        let mut out = Vec::new();
        let mut sink = Sink::new(format, &mut out, also).unwrap();
        for (record_id, external_id) in [(RecordId(1), Some("a,\"b\"")), (RecordId(2), None)] {
            let payload = also.payload.then_some(b"\xff".as_slice());
            let position = also.position.then_some("5f3c09a1be72.1");
            let (fingerprint, scheme, signed_at, signature) = ("00", Scheme::Ps256, "now", b"\0".as_slice());
            sink.write(&Row {
                record_id,
                external_id,
                fingerprint,
                scheme,
                signed_at,
                signature,
                payload,
                position,
            })
            .unwrap();
        }
        sink.finish().unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn json_lines_have_one_object_a_line() {
        assert_eq!(
            written(Format::Jsonl, Also { payload: true, position: false }),
            "{\"record_id\":1,\"external_id\":\"a,\\\"b\\\"\",\"fingerprint\":\"00\",\"scheme\":\"PS256\",\"signed_at\":\"now\",\"signature\":\"AA==\",\"payload_base64\":\"/w==\"}\n\
             {\"record_id\":2,\"external_id\":null,\"fingerprint\":\"00\",\"scheme\":\"PS256\",\"signed_at\":\"now\",\"signature\":\"AA==\",\"payload_base64\":\"/w==\"}\n"
        );
    }

    #[test]
    fn csv_has_a_header_and_as_many_columns_in_each_row() {
        assert_eq!(
            written(Format::Csv, Also::default()),
            "record_id,external_id,fingerprint,scheme,signed_at,signature\n\
             1,\"a,\"\"b\"\"\",00,PS256,now,AA==\n2,,00,PS256,now,AA==\n"
        );
        assert!(written(Format::Csv, Also { payload: true, position: true }).starts_with(
            "record_id,external_id,fingerprint,scheme,signed_at,signature,payload_base64,position\n1,"
        ));
    }
}
