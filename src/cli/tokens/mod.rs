//! `signwave tokens`: manages who may call the API.

mod create;
mod list;
mod revoke;
mod rotate;
mod select;

use std::io::{self, Write};

use anyhow::{Result, anyhow};
use clap::Subcommand;

use super::context::Context;
use crate::{
    access::Token,
    domain::{Scopes, TokenId},
    store::TokenRow,
};

/// One variant per command.
#[derive(Debug, Subcommand)]
pub enum Tokens {
    /// Make a token and print it, once
    Create(create::Create),
    /// List all tokens
    List(list::List),
    /// Give a token a new secret and print the new token, once
    Rotate(rotate::Rotate),
    /// Revoke a token for good
    Revoke(revoke::Revoke),
}

impl Tokens {
    /// Runs the command.
    pub fn run(&self, context: &Context) -> Result<()> {
        match self {
            Self::Create(create) => create.run(context),
            Self::List(list) => list.run(context),
            Self::Rotate(rotate) => rotate.run(context),
            Self::Revoke(revoke) => revoke.run(context),
        }
    }
}

/// Prints a token alone on stdout. Nothing else ever shows it. A reader that has closed the output is an error here,
/// because the token would be lost.
fn show_once(token: &Token) -> Result<()> {
    let (id, text) = (token.id(), token.text());
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.write_all(b"\n")).and_then(|()| out.flush()).map_err(
        |error| anyhow!("token {id} is stored, but could not be printed ({error}): rotate it, or revoke it"),
    )
}

/// What a token may do, and for how long, in words.
fn may(id: TokenId, row: &TokenRow) -> String {
    let until = row.expires_at.as_ref().map_or("without an end".to_owned(), |end| format!("until {end}"));
    format!("token {id} may {}, {until}", in_words(row.scopes))
}

fn in_words(scopes: Scopes) -> String {
    scopes.to_string().replace(',', ", ")
}
