//! `signwave serve`: the service.

use std::sync::Arc;

use anyhow::Result;
use clap::Args;

use super::{
    context::Context,
    options::{Serving, Signing},
    run::run,
};
use crate::{
    actors::Mode,
    config::Settings,
    domain::Fingerprint,
    signer::{Keyring, OpenSigner, Signer, SignerError},
};

/// Run the service: sign records as they come, until stopped.
#[derive(Args, Debug)]
#[command(after_help = "\
Makes the database if there is none. Records that any program inserts into the table 'record'
are signed within a second. SIGINT or SIGTERM stops it in order: the batches in hand are
finished and stored, the rest is given back. A second signal stops it at once. Several processes
may serve one database. With --roles some form batches and others, who have the master key, sign
them.

Examples:
  signwave serve
  signwave serve --roles emit
  signwave serve --batch-size 100 --log-format json")]
pub struct Serve {
    #[command(flatten)]
    serving: Serving,
    #[command(flatten)]
    signing: Signing,
}

/// What a node without the role to sign opens keys with: it has no master key, and no key to open.
struct NoKeys;

impl OpenSigner for NoKeys {
    fn open(
        &self,
        fingerprint: &Fingerprint,
        _: &[u8],
        _: Option<&[u8]>,
    ) -> Result<Box<dyn Signer>, SignerError> {
        Err(SignerError::NoSealedKey(*fingerprint))
    }
}

impl Serve {
    /// Runs the command.
    pub fn run(&self, context: &Context) -> Result<()> {
        let (settings, engine) = context.signing(&self.signing)?;
        let settings = Settings { roles: context.roles(self.serving), ..settings };
        let database = context.create()?;
        let opener: Arc<dyn OpenSigner> = if settings.roles.signs() {
            Arc::new(Keyring::new(engine, context.master_key(&database)?))
        } else {
            Arc::new(NoKeys)
        };
        log::info!("serving {} as '{}': {}; Ctrl-C stops", database.url, settings.node_name, work(&settings));
        let run = run(context, &database, &settings, opener, Mode::Serve)?;
        log::info!("stopped; signed {} records in {} batches", run.progress.signed(), run.progress.batches());
        Ok(())
    }
}

/// What this process does, in words.
fn work(settings: &Settings) -> String {
    let Settings { roles, batch_size, scheme, signers, .. } = settings;
    let emits = roles.emits().then(|| format!("batches of {batch_size}"));
    let signs = roles.signs().then(|| format!("{scheme}, {signers} signing threads"));
    emits.into_iter().chain(signs).collect::<Vec<_>>().join(", ")
}
