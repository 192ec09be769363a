//! Links: the recipients of Ingest's messages.

use std::sync::Arc;

use actix::Recipient;

use crate::{
    actors::{
        commits::Commits,
        counters::Counters,
        db::Db,
        end::Ends,
        messages::{Doubt, Feed, Reregister, Sign},
        share::Shares,
        standing::Standing,
    },
    signer::OpenSigner,
};

/// The recipients of Ingest's messages, and the state that it shares.
#[derive(Clone)]
pub struct Links {
    /// The database.
    pub db: Db,
    /// Emit.
    pub feed: Recipient<Feed>,
    /// Supervisor.
    pub sign: Recipient<Sign>,
    /// Heartbeat.
    pub doubt: Recipient<Doubt>,
    /// Heartbeat.
    pub reregister: Recipient<Reregister>,
    /// The standing of this node.
    pub standing: Arc<Standing>,
    /// What this run has done so far.
    pub counters: Arc<Counters>,
    /// The notifications of stored batches.
    pub commits: Commits,
    /// Knows whose keys this node can use.
    pub opener: Arc<dyn OpenSigner>,
    /// Whose threads sign with which keys.
    pub shares: Shares,
    /// The run's end.
    pub ends: Ends,
}
