//! `signwave tokens revoke`.

use anyhow::Result;
use clap::Args;

use super::select::{Given, unknown};
use crate::{
    cli::{context::Context, user},
    store::RevokeTokenVerdict,
};

/// Revoke a token for good.
#[derive(Args, Debug)]
#[command(after_help = "\
This is final: a revoked token cannot be used again. Its row stays, because the audit log names it.

Example:
  signwave tokens revoke 2gk4x7mqpa")]
pub struct Revoke {
    /// The token: its id, which 'tokens list' shows, or the token itself
    #[arg(value_name = "ID")]
    token: Given,
}

impl Revoke {
    pub(super) fn run(&self, context: &Context) -> Result<()> {
        let id = self.token.id()?;
        match context.open()?.store.revoke_token(id, &user::by())? {
            RevokeTokenVerdict::Revoked => log::info!("token {id} is revoked"),
            RevokeTokenVerdict::WasRevoked => log::info!("token {id} had been revoked before"),
            RevokeTokenVerdict::NoSuchToken => return Err(unknown(id)),
        }
        Ok(())
    }
}
