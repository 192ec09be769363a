//! Links: whom Ingest talks to.

use std::sync::Arc;

use actix::Recipient;

use crate::actors::{
    db::Db,
    end::Ends,
    messages::{Doubt, Feed, Reregister, Sign},
    progress::Progress,
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
    /// The counters.
    pub progress: Arc<Progress>,
    /// The run's end.
    pub ends: Ends,
}
