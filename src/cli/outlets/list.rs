//! `signwave outlets list`.

use std::io::{self, Write};

use anyhow::Result;
use clap::Args;
use serde_json::{Value, json};

use super::{Lag, Outlet, outlets};
use crate::{
    cli::context::Context,
    formats::shown::{self, field},
};

/// List the outlets, each with its position.
#[derive(Args, Debug)]
#[command(after_help = "\
An outlet is a way out of the feed: a queue to which 'signwave serve' publishes, or a webhook.
Everything up to its position is sent. 'lag' is how many signed batches come after it, or
  ahead       the position is behind the end of the feed: an older backup was restored
  other feed  the position is of another feed: the database was replaced, or its feed has a new id
In both cases nothing is sent until 'signwave outlets reset' sets a position. 'node' is the id of the
node that holds the outlet now. A webhook is held only while a message is under way.

Examples:
  signwave outlets list
  signwave outlets list --json | jq '.[] | select(.lag_batches == null) | .name'")]
pub struct List {
    /// Print a JSON array
    #[arg(long)]
    json: bool,
}

impl List {
    pub(super) fn run(&self, context: &Context) -> Result<()> {
        let outlets = outlets(context.open_to_read()?.store.as_ref())?;
        let mut out = io::BufWriter::new(io::stdout().lock());
        if self.json {
            writeln!(out, "{}", shown::json(&outlets.iter().map(as_json).collect()))?;
        } else {
            line(&mut out, ["position", "lag", "node", "name"])?;
            outlets.iter().try_for_each(|outlet| print(&mut out, outlet))?;
        }
        Ok(out.flush()?)
    }
}

fn print(out: &mut impl Write, Outlet { row, lag }: &Outlet) -> io::Result<()> {
    let lag = match lag {
        Lag::Batches(lag) => lag.to_string(),
        Lag::Ahead => "ahead".to_owned(),
        Lag::OtherFeed => "other feed".to_owned(),
    };
    let node = row.holder.map_or_else(|| "-".to_owned(), |node| node.to_string());
    line(out, [&row.position.to_string(), &lag, &node, &field(&row.name)])
}

fn line(out: &mut impl Write, [position, lag, node, name]: [&str; 4]) -> io::Result<()> {
    writeln!(out, "{position:20}  {lag:>10}  {node:>6}  {name}")
}

/// An outlet as programs read it.
pub fn as_json(Outlet { row, lag }: &Outlet) -> Value {
    json!({
        "name": row.name,
        "position": row.position.to_string(),
        "lag_batches": lag.batches(),
        "node": row.holder.map(|node| node.0),
    })
}
