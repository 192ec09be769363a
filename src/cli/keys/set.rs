//! `signwave keys set`.

use anyhow::{Result, bail};
use clap::Args;

use super::{limits::Limits, select::select};
use crate::{
    cli::{context::Context, user},
    store::KeyLimitsVerdict,
};

/// Limit how many signatures a key makes, and when.
#[derive(Args, Debug)]
#[command(mut_group("Limits", |limits| limits.required(true)))]
#[command(after_help = "\
A batch is leased with a key only within the key's limits: at most as many records as the key may
still sign, and between the two times by the database's clock. A key whose limit leaves fewer
signatures than a batch has records leaves the batch to other keys. A batch that was leased before
--not-after is finished after it. 'keys list' shows the limits, and why a key may not sign now.

Examples:
  signwave keys set 1 --max-signatures 1000000
  signwave keys set 9f86d081 --not-before 2027-01-01T00:00:00Z --not-after 2028-01-01T00:00:00Z
  signwave keys set 1 --max-signatures none")]
pub struct Set {
    /// The key: its id, or 4 or more digits of its fingerprint
    #[arg(value_name = "ID|FINGERPRINT")]
    key: String,
    #[command(flatten)]
    limits: Limits,
}

impl Set {
    pub(super) fn run(&self, context: &Context) -> Result<()> {
        let store = context.open()?.store;
        let key = select(store.as_ref(), &self.key)?;
        match store.set_key_limits(key.id, &self.limits.change(), &user::by())? {
            KeyLimitsVerdict::Set(limits) => {
                log::info!("key {} ({}) now has these limits: {limits}", key.id, key.fingerprint);
            }
            KeyLimitsVerdict::Refused(refusal) => {
                bail!("the limits of key {} ({}) stay as they are: {refusal}", key.id, key.fingerprint)
            }
            KeyLimitsVerdict::NoSuchKey => bail!("key {} has just been removed from the database", key.id),
        }
        Ok(())
    }
}
