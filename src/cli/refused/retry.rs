//! `signwave refused retry`.

use anyhow::{Result, bail};
use clap::Args;

use super::select::{Selected, unknown};
use crate::{
    cli::{context::Context, failure::Usage, user},
    domain::{RefusedId, RetryVerdict},
    formats::rows::check_external_id,
    store::RetryName,
};

/// Try again to make records of refused messages.
#[derive(Args, Debug)]
#[command(after_help = "\
A message that becomes a record leaves the list. Its payload never changes. A message that was
refused for its name needs another one: --external-id gives one message a name, and --without-id
accepts messages without one. Messages that are too large were not kept as a whole, and malformed
ones are no records: have them sent again, as they should be, and drop these. The audit log has a row
for each that became a record.

Examples:
  signwave refused retry 7 --external-id order-7-corrected
  signwave refused retry --all --without-id")]
pub struct Retry {
    #[command(flatten)]
    selected: Selected,
    /// The name of the record, in the place of the message's
    #[arg(long, value_name = "NAME")]
    external_id: Option<String>,
    /// Accept messages without a name: their records have none
    #[arg(long, conflicts_with = "external_id")]
    without_id: bool,
}

impl Retry {
    pub(super) fn run(&self, context: &Context) -> Result<()> {
        let name = self.name()?;
        let (store, by) = (context.open()?.store, user::by());
        let (mut stored, mut refused) = (0_u64, 0_u64);
        self.selected.each(store.as_ref(), |id| {
            match self.retry(id, store.retry_refused(id, name, &by)?)? {
                true => stored += 1,
                false => refused += 1,
            }
            Ok(())
        })?;
        if refused > 0 {
            bail!("{refused} messages stay refused; {stored} are records now");
        }
        log::info!("{stored} messages are records now");
        Ok(())
    }

    fn name(&self) -> Result<RetryName<'_>> {
        let Some(name) = &self.external_id else {
            return Ok(if self.without_id { RetryName::Without } else { RetryName::Kept });
        };
        if self.selected.named() != Some(1) {
            bail!(Usage("--external-id names one record: give one message".to_owned()));
        }
        check_external_id(name).map_err(|flaw| Usage(flaw.to_string()))?;
        Ok(RetryName::New(name))
    }

    /// Whether it is a record now. Says why not.
    fn retry(&self, id: RefusedId, verdict: RetryVerdict) -> Result<bool> {
        let reason = match verdict {
            RetryVerdict::Stored(record) => {
                log::info!("message {id} is record {record}");
                return Ok(true);
            }
            // With --all, another process may have been faster.
            RetryVerdict::NotThere if self.selected.named().is_none() => return Ok(true),
            RetryVerdict::NotThere => return Err(unknown(id)),
            RetryVerdict::Conflict => {
                "a record with this name and another payload exists: give --external-id"
            }
            RetryVerdict::NoName => "it has no name: give --external-id, or --without-id",
            RetryVerdict::Malformed => "it is malformed: send a corrected message, and drop this one",
            RetryVerdict::NotWhole => "not all of its bytes were kept: send it again, and drop this one",
        };
        log::warn!("message {id} stays refused: {reason}");
        Ok(false)
    }
}
