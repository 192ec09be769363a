//! The forms in which the feed is sent.

use std::io::{self, Write};

use serde_json::json;

use crate::formats::{
    cloud_event::{self, Head},
    signatures::{Also, Format, Row, Sink},
};

/// How rows are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A JSON object a line.
    Lines,
    /// CSV with a header.
    Csv,
    /// An array of CloudEvents.
    CloudEvents,
    /// Server-Sent Events.
    Events,
}

const CLOUD_EVENTS: &str = "application/cloudevents-batch+json";
const EVENTS: &str = "text/event-stream";
const CSV: &str = "text/csv";

impl Form {
    /// The media types, the usual one first.
    pub const MEDIA_TYPES: [&str; 5] =
        ["application/x-ndjson", "application/jsonl", CSV, CLOUD_EVENTS, EVENTS];

    /// The form of a media type.
    pub fn of(media_type: &str) -> Self {
        match media_type {
            CSV => Self::Csv,
            CLOUD_EVENTS => Self::CloudEvents,
            EVENTS => Self::Events,
            _ => Self::Lines,
        }
    }
}

/// Writes rows in a form.
pub struct Writer<W: Write> {
    form: Form,
    sink: Sink<W>,
    out: W,
    rows: u64,
}

impl<W: Write + Clone> Writer<W> {
    /// A writer to `out`, whose clones write to the same place.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn new(form: Form, out: W, with_payload: bool) -> io::Result<Self> {
        let format = if form == Form::Csv { Format::Csv } else { Format::Jsonl };
        let also = Also { payload: with_payload, position: true };
        let mut this = Self { form, sink: Sink::new(format, out.clone(), also)?, out, rows: 0 };
        if form == Form::CloudEvents {
            this.out.write_all(b"[")?;
        }
        Ok(this)
    }

    /// Writes a row.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn write(&mut self, row: &Row<'_>) -> io::Result<()> {
        let position = row.position.unwrap_or_default();
        match self.form {
            Form::Lines => self.sink.write(row)?,
            Form::Csv => {
                self.sink.write(row)?;
                self.sink.flush()?;
            }
            Form::CloudEvents => {
                let comma = if self.rows > 0 { "," } else { "" };
                self.out.write_all(comma.as_bytes())?;
                // `source` and `id` together are unique, because a position names its feed.
                let head = Head {
                    kind: "signwave.signature",
                    source: "/v1/signatures",
                    id: position,
                    time: row.signed_at,
                    subject: Some(&row.record_id.to_string()),
                    extensions: &[],
                };
                cloud_event::begin(&mut self.out, &head)?;
                self.sink.write(row)?;
                self.out.write_all(b"}")?;
            }
            Form::Events => {
                write!(self.out, "id: {position}\ndata: ")?;
                self.sink.write(row)?;
                self.out.write_all(b"\n")?;
            }
        }
        self.rows += 1;
        Ok(())
    }

    /// Writes what shows that nothing is missing, up to `position`.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn end(&mut self, position: &str) -> io::Result<()> {
        match self.form {
            Form::Lines => {
                let end = json!({ "end": true, "signatures": self.rows, "position": position });
                writeln!(self.out, "{end}")
            }
            Form::CloudEvents => self.out.write_all(b"]"),
            Form::Csv | Form::Events => Ok(()),
        }
    }
}
