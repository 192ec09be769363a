//! `signwave serve`: the service.

use std::sync::Arc;

use anyhow::Result;
use clap::Args;

use super::{context::Context, options::Signing, run::run};
use crate::{actors::Mode, signer::Keyring};

/// Run the service: sign records as they come, until stopped.
#[derive(Args, Debug)]
#[command(after_help = "\
Makes the database if there is none. Records that any program inserts into the table 'record'
are signed within a second. SIGINT or SIGTERM stops it in order: the batches in hand are
finished and stored, the rest is given back. A second signal stops it at once. Several processes
may serve one database.

Examples:
  signwave serve
  signwave serve --batch-size 100 --log-format json")]
pub struct Serve {
    #[command(flatten)]
    signing: Signing,
}

impl Serve {
    /// Runs the command.
    pub fn run(&self, context: &Context) -> Result<()> {
        let (settings, engine) = context.signing(&self.signing)?;
        let database = context.create()?;
        let keyring = Arc::new(Keyring::new(engine, context.master_key(&database)?));
        log::info!(
            "serving {} as '{}': batches of {}, {}, {} signing threads; Ctrl-C stops",
            database.url,
            settings.node_name,
            settings.batch_size,
            settings.scheme,
            settings.signers
        );
        let run = run(context, &database, &settings, keyring, Mode::Serve)?;
        log::info!("stopped; signed {} records in {} batches", run.progress.signed(), run.progress.batches());
        Ok(())
    }
}
