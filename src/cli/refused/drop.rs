//! `signwave refused drop`.

use anyhow::Result;
use clap::Args;

use super::select::{Selected, unknown};
use crate::cli::{confirm::confirm, context::Context, user};

/// Delete refused messages for good.
#[derive(Args, Debug)]
#[command(after_help = "\
The broker has forgotten the messages already, so this deletes the last copy of their bytes. The audit
log keeps the name, the size, the reason and the queue of each.

Examples:
  signwave refused drop 7 8
  signwave refused drop --all --yes")]
pub struct DropMessages {
    #[command(flatten)]
    selected: Selected,
    /// Do not ask
    #[arg(long)]
    yes: bool,
}

impl DropMessages {
    pub(super) fn run(&self, context: &Context) -> Result<()> {
        let (store, by) = (context.open()?.store, user::by());
        let what = match self.selected.named() {
            Some(count) => format!("this deletes {count} refused messages for good"),
            None => format!("this deletes all {} refused messages for good", store.status()?.refused),
        };
        confirm(&what, self.yes)?;
        let mut dropped = 0_u64;
        self.selected.each(store.as_ref(), |id| match store.drop_refused(id, &by)? {
            true => {
                dropped += 1;
                Ok(())
            }
            false if self.selected.named().is_none() => Ok(()),
            false => Err(unknown(id)),
        })?;
        log::info!("{dropped} refused messages are deleted");
        Ok(())
    }
}
