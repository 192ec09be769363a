//! `signwave refused list`.

use std::io::{self, Write};

use anyhow::Result;
use clap::Args;
use serde_json::{Value, json};

use super::select::{each_row, page};
use crate::{
    cli::context::Context,
    domain::RefusedId,
    formats::shown::{field, json_line},
    store::RefusedRow,
};

/// List the refused messages, each with the reason.
#[derive(Args, Debug)]
#[command(after_help = "\
The reasons are
  no-external-id   the message has no message_id
  bad-external-id  its name is empty, longer than 1024 bytes, or has a NUL character
  conflict         a record with its name and another payload exists
  too-large        its payload is larger than a record's may be; only its first bytes are kept
  malformed        it is not an object as 'signwave import' reads it (body=json)
  schema           the database refused it
'tries' counts how often a message was refused: it may have arrived again, or been retried.

Examples:
  signwave refused list
  signwave refused list --json | jq 'select(.reason == \"conflict\") | .id'")]
pub struct List {
    /// Begin behind the message of this id
    #[arg(long, value_name = "ID", default_value_t = 0)]
    after: i64,
    /// Print one JSON object per line
    #[arg(long)]
    json: bool,
}

impl List {
    pub(super) fn run(&self, context: &Context) -> Result<()> {
        let store = context.open_to_read()?.store;
        let mut out = io::BufWriter::new(io::stdout().lock());
        if !self.json {
            let head = ["reason", "external id", "source"];
            line(&mut out, ["id", "at", "tries", "bytes"], head, "detail")?;
        }
        each_row(page(store.as_ref()), RefusedId(self.after), |row| match self.json {
            true => Ok(writeln!(out, "{}", json_line(&as_json(row)))?),
            false => Ok(print(&mut out, row)?),
        })?;
        Ok(out.flush()?)
    }
}

fn print(out: &mut impl Write, row: &RefusedRow) -> io::Result<()> {
    let (id, tries, bytes) = (row.id.to_string(), row.tries.to_string(), row.size.to_string());
    let name = row.external_id.as_deref().map_or_else(|| "-".to_owned(), field);
    let texts = [row.reason.name(), &name, &field(&row.source)];
    line(out, [&id, &field(&row.at), &tries, &bytes], texts, &field(&row.detail))
}

fn line(
    out: &mut impl Write,
    [id, at, tries, bytes]: [&str; 4],
    [reason, name, source]: [&str; 3],
    detail: &str,
) -> io::Result<()> {
    writeln!(out, "{id:>6}  {at:24}  {tries:>5}  {bytes:>9}  {reason:15}  {name:24}  {source:24}  {detail}")
}

/// A message as programs read it.
fn as_json(row: &RefusedRow) -> Value {
    json!({
        "id": row.id.0,
        "source": row.source,
        "external_id": row.external_id,
        "reason": row.reason.name(),
        "detail": row.detail,
        "bytes": row.size,
        "bytes_kept": row.kept,
        "tries": row.tries,
        "at": row.at,
    })
}
