//! Links: whom Ingest talks to.

use std::sync::Arc;

use actix::Recipient;

use crate::actors::{
    commits::Commits,
    counters::Counters,
    db::Db,
    end::Ends,
    messages::{Doubt, Feed, Reregister, Sign},
    standing::Standing,
};

/// Whom Ingest talks to.
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
    /// Who this node is.
    pub standing: Arc<Standing>,
    /// What this run has done so far.
    pub counters: Arc<Counters>,
    /// Who hears of what is stored.
    pub commits: Commits,
    /// The run's end.
    pub ends: Ends,
}
