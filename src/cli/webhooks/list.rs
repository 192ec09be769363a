//! `signwave webhooks list`.

use std::io::{self, Write};

use anyhow::Result;
use clap::Args;
use serde_json::{Value, json};

use crate::{
    cli::context::Context,
    formats::shown::{self, field},
    store::WebhookRow,
};

/// List all webhooks.
#[derive(Args, Debug)]
#[command(after_help = "\
'position' is that of the last message that was accepted, and 'lag' is how many signed batches are
behind it. 'failures' counts messages in a row that failed. The next one is sent at 'retry at'.

Examples:
  signwave webhooks list
  signwave webhooks list --json | jq '.[] | select(.state == \"disabled\") | .name'")]
pub struct List {
    /// Print a JSON array
    #[arg(long)]
    json: bool,
}

impl List {
    pub(super) fn run(&self, context: &Context) -> Result<()> {
        let webhooks = context.open_to_read()?.store.webhooks()?;
        let mut out = io::BufWriter::new(io::stdout().lock());
        if self.json {
            writeln!(out, "{}", shown::json(&webhooks.iter().map(as_json).collect()))?;
        } else {
            line(&mut out, ["name", "state", "position", "lag", "failures", "retry at"], "address")?;
            webhooks.iter().try_for_each(|row| print(&mut out, row))?;
        }
        Ok(out.flush()?)
    }
}

fn print(out: &mut impl Write, row: &WebhookRow) -> io::Result<()> {
    let retry_at = row.retry_at.as_deref().map_or_else(|| "-".to_owned(), field);
    let (position, lag) = (row.position.to_string(), row.lag.to_string());
    let columns =
        [row.name.as_str(), row.state.name(), &position, &lag, &row.failures.to_string(), &retry_at];
    line(out, columns, &field(&row.url))?;
    row.reason.iter().try_for_each(|reason| writeln!(out, "{:16}  {}", "", field(reason)))
}

fn line(
    out: &mut impl Write,
    [name, state, position, lag, failures, retry_at]: [&str; 6],
    url: &str,
) -> io::Result<()> {
    writeln!(out, "{name:16}  {state:8}  {position:20}  {lag:>7}  {failures:>8}  {retry_at:24}  {url}")
}

/// A webhook as programs read it.
pub fn as_json(row: &WebhookRow) -> Value {
    json!({
        "name": row.name.as_str(),
        "url": row.url,
        "allow_internal": row.allow_internal,
        "state": row.state.name(),
        "reason": row.reason,
        "failures": row.failures,
        "retry_at": row.retry_at,
        "delivered_at": row.delivered_at,
        "created_at": row.created_at,
        "previous_until": row.previous_until,
        "position": row.position.to_string(),
        "lag": row.lag,
    })
}
