//! `signwave ledger accept`: goes on with a database that was put back.

use anyhow::Result;
use clap::Args;

use super::anchors_of;
use crate::{
    anchors::AnchorAddress,
    cli::{confirm::confirm, context::Context, user},
    config::AnchorParser,
    domain::ledger::Reason,
    restores::{AcceptVerdict, Acceptance, Accepted, Loss, Plan},
    store::open_to_restore,
};

/// Go on with a restored database, without the signatures that it lacks.
#[derive(Args, Debug)]
#[command(after_help = "\
A database that is older than its anchor is halted: nothing is added or signed. If nothing newer
can be put back, and 'signwave ledger heal' has no bundles of what is gone, this command accepts
the loss. It reads the anchors of all nodes, which say what was committed. Then, in one
transaction:

- Records that were signed, and whose signatures are gone, are never signed again. 'signwave ledger
  lost' names them. Their signatures may be where they were sent.
- Ids of records and batches that were used are not used again: the ids of new records begin behind
  the next multiple of 1,000,000,000.
- The ledger goes on as another incarnation, so that no checkpoint contradicts an earlier one. Its
  first entry says what was kept, what was lost, and why.
- The feed gets another id, so its readers notice the restore. Queues and webhooks wait until
  'signwave outlets reset' says where they go on.

Then each anchor is set aside (PATH.1 for the first incarnation, #NAME.1 in a database), and a new
one is begun in its place. A symbolic link stays: the file to which it leads is set aside. Keep the
old ones: 'signwave verify --anchor PATH --anchor PATH.1' compares them, too.

Name the anchors of all nodes at once. If one is left out, what it alone knows cannot be accepted
later, and may be signed again.

Stop all processes before. The old database must be down for good. On PostgreSQL, the role must own
the tables. It is safe to kill this command and to run it again, on the same copy. Records whose
rows are gone are not known by name: if they are submitted again, they are other records, and are
signed.

Examples:
  signwave ledger accept --anchor /mnt/elsewhere/signwave.anchor --reason 'the disk of db1 died'
  signwave ledger accept --anchor a.anchor --anchor b.anchor --reason 'failover to a lagging standby'")]
pub struct Accept {
    /// An anchor of the database. May be given several times [default: those of the settings file]
    #[arg(long, value_name = "PATH|URL", env = "SIGNWAVE_ANCHOR", hide_env_values = true, value_parser = AnchorParser)]
    anchor: Vec<AnchorAddress>,
    /// Why, in one line. The ledger keeps it
    #[arg(long, value_name = "TEXT")]
    reason: Reason,
    /// Let what was signed and lost be signed again: such a record then has two signatures in the world
    #[arg(long)]
    sign_lost_again: bool,
    /// Do not ask
    #[arg(long)]
    yes: bool,
}

impl Accept {
    pub(super) fn run(&self, context: &Context) -> Result<()> {
        let anchors = anchors_of(context, &self.anchor)?;
        let store = open_to_restore(&context.url()?)?;
        let plan = Plan::new(store.as_ref(), anchors)?;
        if let Plan::Accept(loss) = &plan {
            confirm(&self.question(loss), self.yes)?;
        }
        let by = user::by();
        let acceptance = Acceptance { reason: &self.reason, signs_again: self.sign_lost_again, by: &by };
        let Accepted { verdict, aside } = plan.carry_out(store.as_ref(), anchors, acceptance)?;
        if let Some(verdict) = verdict {
            self.say(&verdict);
        }
        for (anchor, aside) in aside {
            log::info!("the anchor '{anchor}' is begun anew; the one before is '{aside}'");
        }
        Ok(())
    }

    fn say(&self, verdict: &AcceptVerdict) {
        let AcceptVerdict::Accepted { origin, batches, kept_records, lost_records, retired_keys, last_id } =
            verdict
        else {
            return;
        };
        log::info!("the ledger goes on as {origin}, and ids of records go on behind {last_id}");
        if self.sign_lost_again {
            log::info!("what was lost may be signed again");
        } else {
            log::info!(
                "{batches} batches are lost: {kept_records} of their records are in the database and are not signed again, \
                 {lost_records} are not in it"
            );
        }
        if *retired_keys > 0 {
            log::info!("{retired_keys} keys were retired after the backup, and are retired again");
        }
    }

    fn question(&self, loss: &Loss) -> String {
        let records: u64 = loss.batches.iter().map(|batch| batch.records.len()).sum();
        let (kept, size, batches) = (loss.kept.size, loss.size, loss.batches.len());
        let then = if self.sign_lost_again { "may be signed AGAIN" } else { "are never signed again" };
        format!(
            "the database has {kept} entries of the ledger, and {size} were committed: {batches} batches with {records} \
             records, which {then}, and {} changes of keys are lost",
            loss.others
        )
    }
}
