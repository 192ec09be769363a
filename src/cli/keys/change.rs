//! `signwave keys disable`, `enable` and `retire`.

use anyhow::{Result, bail};
use clap::Args;

use super::select::select;
use crate::{
    cli::{confirm::confirm, context::Context, user},
    domain::KeyState,
    store::KeyStateVerdict,
};

/// Which key, and why.
#[derive(Args, Debug)]
struct Target {
    /// The key: its id, or 4 or more digits of its fingerprint
    #[arg(value_name = "ID|FINGERPRINT")]
    key: String,
    /// The reason, which 'keys list' and 'keys show' print
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

/// Stop signing with a key until it is enabled again.
#[derive(Args, Debug)]
#[command(
    after_help = "A batch that is being signed with the key is finished. To use the key again: 'signwave keys enable'."
)]
pub struct Disable {
    #[command(flatten)]
    target: Target,
}

/// Let a disabled or suspended key sign again.
#[derive(Args, Debug)]
pub struct Enable {
    #[command(flatten)]
    target: Target,
}

/// Never sign with a key again; its signatures stay verifiable.
#[derive(Args, Debug)]
#[command(
    after_help = "This is final: a retired key cannot be enabled. To disable it for a while: 'signwave keys disable'."
)]
pub struct Retire {
    #[command(flatten)]
    target: Target,
    /// Do not ask for confirmation
    #[arg(long)]
    yes: bool,
}

impl Disable {
    pub(super) fn run(&self, context: &Context) -> Result<()> {
        change(context, &self.target, KeyState::Disabled, true)
    }
}

impl Enable {
    pub(super) fn run(&self, context: &Context) -> Result<()> {
        change(context, &self.target, KeyState::Active, true)
    }
}

impl Retire {
    pub(super) fn run(&self, context: &Context) -> Result<()> {
        change(context, &self.target, KeyState::Retired, self.yes)
    }
}

fn change(context: &Context, target: &Target, next: KeyState, sure: bool) -> Result<()> {
    let store = context.open()?.store;
    let key = select(store.as_ref(), &target.key)?;
    confirm(&format!("key {} ({}) will be {next} for good", key.id, key.fingerprint), sure)?;
    match store.set_key_state(key.id, next, target.reason.as_deref(), &user::by())? {
        KeyStateVerdict::Changed(before) => {
            log::info!("key {} ({}) was {before} and is now {next}", key.id, key.fingerprint)
        }
        KeyStateVerdict::Refused(state) => {
            bail!("key {} is {state}, which is final: use another key", key.id)
        }
        KeyStateVerdict::NoSuchKey => bail!("key {} has just been removed from the database", key.id),
    }
    Ok(())
}
