//! `signwave tokens list`.

use std::{
    io::{self, Write},
    time::Duration,
};

use anyhow::Result;
use clap::Args;
use serde_json::{Value, json};

use crate::{
    cli::context::Context,
    domain::{Scope, SessionParent, TokenId},
    formats::shown::{self, field},
    store::{StoreError, TokenRow},
};

/// List all tokens.
#[derive(Args, Debug)]
#[command(after_help = "\
Secrets are not stored, so they are never listed. 'last used' is right to a minute or so.

Examples:
  signwave tokens list
  signwave tokens list --sessions
  signwave tokens list --json | jq '.[] | select(.state == \"active\")'")]
pub struct List {
    /// Print a JSON array
    #[arg(long)]
    json: bool,
    /// List the sessions of the dashboard instead, until a week after their end
    #[arg(long)]
    sessions: bool,
}

/// Tokens read at a time.
const PAGE: usize = 1000;

impl List {
    pub(super) fn run(&self, context: &Context) -> Result<()> {
        let store = context.open_to_read()?.store;
        let tokens = all(|after| match self.sessions {
            false => store.tokens(after, PAGE),
            true => store.sessions(after, PAGE),
        })?;
        let mut out = io::BufWriter::new(io::stdout().lock());
        if self.json {
            writeln!(out, "{}", shown::json(&tokens.iter().map(as_json).collect()))?;
        } else {
            line(&mut out, ["id", "state", "scopes", "expires", "last used"], "name")?;
            tokens.iter().try_for_each(|token| print(&mut out, token))?;
        }
        Ok(out.flush()?)
    }
}

/// All rows that `page` returns, each time behind the last one.
fn all(page: impl Fn(Option<TokenId>) -> Result<Vec<TokenRow>, StoreError>) -> Result<Vec<TokenRow>> {
    let mut tokens = Vec::new();
    loop {
        let page = page(tokens.last().map(|token: &TokenRow| token.id))?;
        if page.is_empty() {
            return Ok(tokens);
        }
        tokens.extend(page);
    }
}

fn print(out: &mut impl Write, token: &TokenRow) -> io::Result<()> {
    let time = |time: &Option<String>| time.as_ref().map_or_else(|| "never".to_owned(), |time| field(time));
    let (scopes, expires, used) =
        (token.scopes.to_string(), time(&token.expires_at), time(&token.last_used_at));
    let mut name = field(&token.name);
    if let Some(key) = token.certificate {
        name.push_str(&format!("  (certificate key {})", &key.to_string()[..16]));
    }
    if let Some(SessionParent::Token(id)) = token.parent {
        name.push_str(&format!("  (token {id})"));
    }
    line(out, [token.id.as_str(), token.state(Duration::ZERO).name(), &scopes, &expires, &used], &name)
}

fn line(out: &mut impl Write, [id, state, scopes, expires, used]: [&str; 5], name: &str) -> io::Result<()> {
    writeln!(out, "{id:10}  {state:7}  {scopes:25}  {expires:24}  {used:24}  {name}")
}

/// A token as programs read it.
fn as_json(token: &TokenRow) -> Value {
    json!({
        "id": token.id.as_str(),
        "name": token.name,
        "scopes": token.scopes.iter().map(Scope::name).collect::<Vec<_>>(),
        "state": token.state(Duration::ZERO).name(),
        "certificate_key": token.certificate.map(|key| key.to_string()),
        "created_at": token.created_at,
        "expires_at": token.expires_at,
        "previous_until": token.previous_until,
        "revoked_at": token.revoked_at,
        "last_used_at": token.last_used_at,
        "parent": token.parent.map(|parent| parent.to_string()),
    })
}
