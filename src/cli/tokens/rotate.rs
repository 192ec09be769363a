//! `signwave tokens rotate`.

use std::time::Duration;

use anyhow::{Result, bail};
use clap::Args;

use super::{
    may,
    select::{Given, unknown},
    show_once,
};
use crate::{
    access::{DEFAULT_LIFE, DEFAULT_OVERLAP, Life, Token, life, overlap},
    cli::{context::Context, user},
    store::{RotateTokenVerdict, Rotation},
};

/// Give a token a new secret and print the new token, once.
#[derive(Args, Debug)]
#[command(after_help = "\
The id, the name and the scopes stay. The previous token can still be used during the overlap, so
that clients can be changed one after the other. With --overlap 0s it ends at once. A token from
before the last rotation ends at once in any case.

Examples:
  signwave tokens rotate 2gk4x7mqpa > ci.token
  signwave tokens rotate 2gk4x7mqpa --overlap 0s --expires 30d > ci.token")]
pub struct Rotate {
    /// The token: its id, which 'tokens list' shows, or the token itself
    #[arg(value_name = "ID")]
    token: Given,
    /// How long the previous token can still be used
    #[arg(long, value_name = "TIME", default_value = DEFAULT_OVERLAP, value_parser = overlap)]
    overlap: Duration,
    /// How long the new token can be used: a duration such as 12h or 90d, or 'never'
    #[arg(long, value_name = "TIME", default_value = DEFAULT_LIFE, value_parser = life)]
    expires: Life,
}

impl Rotate {
    pub(super) fn run(&self, context: &Context) -> Result<()> {
        let id = self.token.id()?;
        let store = context.open()?.store;
        let token = Token::with_new_secret(id);
        let rotation = Rotation {
            secret: token.hash(),
            overlap: Some(self.overlap).filter(|overlap| !overlap.is_zero()),
            expires_in: self.expires.duration(),
        };
        let row = match store.rotate_token(id, &rotation, &user::by())? {
            RotateTokenVerdict::Rotated(row) => row,
            RotateTokenVerdict::IsRevoked => {
                bail!("token {id} is revoked, which is final: make another one with 'signwave tokens create'")
            }
            RotateTokenVerdict::HasCertificate => bail!(
                "token {id} has no secret, because a client certificate stands for it: for another certificate, make \
                 another token"
            ),
            RotateTokenVerdict::IsSession => {
                bail!("token {id} is a session of the dashboard, which cannot be rotated: revoke it")
            }
            RotateTokenVerdict::NoSuchToken => return Err(unknown(id)),
        };
        show_once(&token)?;
        let before = row.previous_until.as_ref();
        let before = before.map_or("ended".to_owned(), |until| format!("can be used until {until}"));
        log::info!("{}; it is shown only now; the previous token {before}", may(id, &row));
        Ok(())
    }
}
