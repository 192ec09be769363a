//! `signwave audit-log`: shows who changed what.

use std::io::{self, Write};

use anyhow::Result;
use clap::Args;
use serde_json::{Value, json};

use super::context::Context;
use crate::{
    domain::{AuditId, Fingerprint},
    formats::shown::{field, json_line},
    store::AuditRow,
};

/// Show who changed keys, tokens, webhooks and outlets.
#[derive(Args, Debug)]
#[command(after_help = "\
Every change of a key, a token, a webhook or an outlet is in the log, and every refused message that
became a record or was dropped, with who did it: cli:USER@HOST for the command line, token:ID for a
client of the API, node:NAME for the service itself, which suspends keys that fail. The log can only
grow, and its ids have no gaps.

Examples:
  signwave audit-log
  signwave audit-log --json | jq 'select(.action == \"token.add\")'
  signwave audit-log --json --after 1200 >> audit.jsonl     what is new since row 1200")]
pub struct AuditLog {
    /// Begin behind the row of this id
    #[arg(long, value_name = "ID", default_value_t = 0)]
    after: i64,
    /// Print one JSON object per line
    #[arg(long)]
    json: bool,
}

/// Rows read at a time.
const PAGE: usize = 1000;

impl AuditLog {
    /// Runs the command.
    pub fn run(&self, context: &Context) -> Result<()> {
        let store = context.open_to_read()?.store;
        let mut out = io::BufWriter::new(io::stdout().lock());
        if !self.json {
            writeln!(
                out,
                "{:>6}  {:24}  {:24}  {:12}  {:16}  change",
                "id", "at", "who", "action", "object"
            )?;
        }
        let mut after = AuditId(self.after);
        loop {
            let page = store.audit_log(after, PAGE)?;
            let Some(last) = page.last() else { return Ok(out.flush()?) };
            after = last.id;
            for row in &page {
                match self.json {
                    true => writeln!(out, "{}", json_line(&as_json(row)))?,
                    false => print(&mut out, row)?,
                }
            }
        }
    }
}

fn print(out: &mut impl Write, row: &AuditRow) -> io::Result<()> {
    let who = field(&row.who.to_string());
    let (at, action, object) = (field(&row.at), field(&row.action), field(&row.object));
    // As in 'keys list', 16 digits of a fingerprint name a key.
    let is_fingerprint = row.object.parse::<Fingerprint>().is_ok();
    let object = object.get(..16).filter(|_| is_fingerprint).unwrap_or(&object);
    write!(out, "{:>6}  {at:24}  {who:24}  {action:12}  {object:16}", row.id.0)?;
    let change = [&row.before, &row.after].into_iter().flatten().map(|text| field(text)).collect::<Vec<_>>();
    write!(out, "  {}", change.join(" -> "))?;
    row.address.iter().try_for_each(|address| write!(out, "  from {}", field(address)))?;
    row.request_id.iter().try_for_each(|request| write!(out, "  request {}", field(request)))?;
    writeln!(out)
}

/// A row as programs read it.
fn as_json(row: &AuditRow) -> Value {
    json!({
        "id": row.id.0,
        "at": row.at,
        "who": row.who.to_string(),
        "address": row.address,
        "action": row.action,
        "object": row.object,
        "before": row.before,
        "after": row.after,
        "request_id": row.request_id,
    })
}
