//! A plan to put back what a database lacks, and carrying it out.

use std::path::PathBuf;

use super::{chain::Chain, check, error::HealError, exports::Exports, steps::Steps};
use crate::{
    anchors::{self, AnchorAddress, Anchors, Loss, Missing, Past, Standing},
    domain::{BatchId, By, RecordId, ledger::Edge},
    restores::{accept::refuse_unnamed, error::RestoreError},
    signer::Engine,
    store::{HealVerdict, Healing, Restores, StoreError},
};

/// What is to be put back. Everything in it was verified.
#[derive(Debug)]
pub struct HealPlan {
    loss: Loss,
    chain: Chain,
    exports: Exports,
    edge: Edge,
    /// Whether the ledger says that it is halted.
    is_halted: bool,
}

/// What was put back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Healed {
    /// How many entries the ledger has now.
    pub size: u64,
    /// How many batches were put back.
    pub batches: u64,
    /// How many records they have.
    pub records: u64,
    /// Whether the feed got another id, because it may have had these batches in another order.
    pub renames_feed: bool,
}

impl HealPlan {
    /// Compares a database with all its anchors, and looks for what it lacks in files of bundles. `progress` hears how many
    /// bytes were read. Memory is needed for the places of the bundles, and not for what is in them.
    ///
    /// # Errors
    /// When something that is lost is not in the files, or does not verify. Nothing was changed.
    pub fn new(
        store: &dyn Restores,
        anchors: &[AnchorAddress],
        files: &[PathBuf],
        engine: Engine,
        progress: &dyn Fn(u64),
    ) -> Result<Self, HealError> {
        let ledger = store.ledger()?;
        anchors::check_distinct(anchors).map_err(RestoreError::from)?;
        let loss = Loss::read_any(anchors, ledger.origin, ledger.head).map_err(RestoreError::from)?;
        refuse_unnamed(&ledger, loss.known.size)?;
        let mut exports = Exports::read(files, &loss, engine, progress)?;
        let edge = store.edge()?;
        if edge.head() != loss.kept {
            return Err(RestoreError::Changed.into());
        }
        let chain = Chain::new(&loss, &exports, edge.clone())?;
        check::check(store, &chain, &mut exports)?;
        Ok(Self { loss, chain, exports, edge, is_halted: ledger.halted.is_some() })
    }

    /// Whether there is nothing to do: the database has all that its anchors know, and is not halted.
    pub fn is_done(&self) -> bool {
        self.chain.entries().is_empty() && !self.is_halted
    }

    /// How many entries the database has.
    pub fn kept(&self) -> u64 {
        self.loss.kept.size
    }

    /// What will have been put back.
    pub fn healed(&self) -> Healed {
        let batches = self.chain.batches();
        Healed {
            size: self.loss.kept.size + self.chain.entries().len() as u64,
            batches: batches.len() as u64,
            records: batches.iter().map(|(batch, _)| batch.records.len()).sum(),
            renames_feed: false,
        }
    }

    /// Batches of which neither an anchor nor the files say that they were stored. They are signed anew.
    pub fn left_out(&self) -> Vec<BatchId> {
        self.chain.left_out(&self.loss)
    }

    /// Carries it out. `progress` hears how many records were put back.
    ///
    /// What if we die here? The ledger is a longer beginning of what it was, and is halted. A new plan does what is left.
    ///
    /// # Errors
    /// When the database or a file cannot be read or written, a node is at work, or the database has changed.
    pub fn carry_out(
        self,
        store: &dyn Restores,
        anchors: &[AnchorAddress],
        by: &By,
        progress: &dyn Fn(u64),
    ) -> Result<Healed, HealError> {
        let mut healed = self.healed();
        let Self { loss, chain, exports, edge, .. } = self;
        // No process that has one of them can begin to work.
        let held = Anchors::open(anchors, loss.origin, Missing::Refuse).map_err(RestoreError::from)?;
        let mut steps = Steps { store, origin: loss.origin, edge, exports, by };
        if !chain.entries().is_empty() {
            let why = format!(
                "the database is older than its anchor: it is being healed, and {} entries of the ledger were committed; \
                 nothing is formed, leased or signed until 'signwave ledger heal' has ended",
                healed.size
            );
            let begin = Healing::Begin { why: &why, in_order: chain.lowest_in_order() };
            healed.renames_feed = steps.step(begin)? == HealVerdict::FeedRenamed;
            let highest = loss.batches.iter().filter_map(|batch| batch.records.last()).max();
            steps.form_all(&chain, highest.unwrap_or(RecordId(0)))?;
            steps.append_all(&chain, progress)?;
        }
        let head = steps.edge.head();
        match held.expected().compare(head, |size| past(store, size))? {
            Standing::Stands(_) => {}
            Standing::Behind { anchored, .. } | Standing::Other { anchored, .. } => {
                return Err(HealError::NotAsAnchored { size: anchored.size });
            }
        }
        steps.step(Healing::End)?;
        Ok(healed)
    }
}

/// The root of the ledger at a size.
fn past(store: &dyn Restores, size: u64) -> Result<Past, StoreError> {
    let found = store.receipts(size.saturating_sub(1), 1)?.into_iter().next();
    let root = found.filter(|receipt| receipt.seq == size).map(|receipt| receipt.root);
    Ok(Past { root, ..Past::default() })
}
