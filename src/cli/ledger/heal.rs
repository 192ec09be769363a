//! `signwave ledger heal`: puts back what a database that was put back lacks.

use std::{fs, path::PathBuf};

use anyhow::Result;
use clap::Args;

use super::anchors_of;
use crate::{
    anchors::AnchorAddress,
    cli::{confirm::confirm, context::Context, progress::Unit, user},
    config::AnchorParser,
    restores::{HealPlan, Healed},
    store::open_to_restore,
};

/// Put lost signatures back into a restored database, from bundles.
#[derive(Args, Debug)]
#[command(after_help = "\
A database that is older than its anchor is halted: nothing is added or signed. This command puts
back what was signed and lost, with the same ids, keys, times and signatures, so the same history
goes on, as if the loss had never been. Its anchors stay as they are.

It needs a bundle of each record that was signed after the backup. So let this run again and again,
and keep the files where the database is not:

  signwave export --as bundle --with-payload > bundles.jsonl

When an older copy had to be put back, name these files and all anchors:

  signwave ledger heal bundles.jsonl --anchor /mnt/elsewhere/signwave.anchor

Files may overlap, and may have what the database has. Before anything is changed, each signature is
verified with its key, each batch is compared with what the anchors say of it, and each record that
the database has with what was signed. If anything is missing or differs, nothing is changed, and the
error says what. Then 'signwave ledger accept' is the way on. That also holds if a key was generated
after the backup, because its private half is lost.

Without files, it lets a database go on that is halted and has all that its anchors know, because a
newer copy was put back in the meantime.

Records that were added after the backup and never signed are in no bundle. Add them again. Ids of new
records begin behind the next multiple of 1,000,000,000, so none means two things.

Stop all processes before. The lost database must be down for good. It is safe to kill this command
and to run it again: until it has ended, the ledger stays halted.")]
pub struct Heal {
    /// Bundles, one in each line
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
    /// An anchor of the database. May be given several times [default: those of the settings file]
    #[arg(long, value_name = "PATH|URL", env = "SIGNWAVE_ANCHOR", hide_env_values = true, value_parser = AnchorParser)]
    anchor: Vec<AnchorAddress>,
    /// Do not ask
    #[arg(long)]
    yes: bool,
}

impl Heal {
    pub(super) fn run(&self, context: &Context) -> Result<()> {
        let anchors = anchors_of(context, &self.anchor)?;
        let engine = context.signer();
        engine.prepare()?;
        let store = open_to_restore(&context.url()?)?;
        let bytes = self.files.iter().filter_map(|path| fs::metadata(path).ok()).map(|file| file.len()).sum();
        let progress = context.progress("verifying", bytes, Unit::Bytes);
        let plan = HealPlan::new(store.as_ref(), anchors, &self.files, engine, &|bytes| progress.add(bytes))?;
        progress.finish();
        if plan.is_done() {
            log::info!("the database has all that its anchors know: there is nothing to put back");
            return Ok(());
        }
        let left_out = plan.left_out();
        if !left_out.is_empty() {
            let ids: Vec<_> = left_out.iter().map(ToString::to_string).collect();
            log::warn!(
                "neither the anchors nor the files say whether these batches were stored when the database was lost, so \
                 they are signed anew: {}",
                ids.join(", ")
            );
        }
        confirm(&question(&plan), self.yes)?;
        let progress = context.progress("healing", plan.healed().records, Unit::Pieces);
        let healed =
            plan.carry_out(store.as_ref(), anchors, &user::by(), &|records| progress.add(records))?;
        progress.finish();
        let Healed { size, batches, records, renames_feed } = healed;
        log::info!(
            "the ledger has {size} entries again and goes on: {batches} batches with {records} records were put back"
        );
        if renames_feed {
            log::warn!(
                "the feed got another id, because it may have had these batches in another order: its readers begin anew"
            );
        }
        Ok(())
    }
}

fn question(plan: &HealPlan) -> String {
    let (kept, Healed { size, batches, records, .. }) = (plan.kept(), plan.healed());
    if kept == size {
        return format!(
            "the database has all {size} entries of the ledger that its anchors know: it goes on"
        );
    }
    format!(
        "the database has {kept} entries of the ledger, and {size} were committed: {batches} batches with {records} records \
         are put back"
    )
}
