//! What a publisher works with.

use std::{sync::Arc, time::Duration};

use actix::Addr;

use super::counters::Counters;
use crate::{
    actors::{Commits, Stop, db_executor::DbExecutor},
    domain::NodeId,
};

/// What a publisher works with.
#[derive(Clone)]
pub struct Links {
    /// The run's database threads, for its short transactions.
    pub db: Addr<DbExecutor>,
    /// Other database threads, which read the feed.
    pub reads: Addr<DbExecutor>,
    /// Tells of what this process has signed.
    pub commits: Commits,
    /// The node that this process is; `None` before it is registered.
    pub node: Arc<dyn Fn() -> Option<NodeId> + Send + Sync>,
    /// How long a claim of an outlet lasts without a sign of life. It is the same at all nodes.
    pub hold: Duration,
    /// Ends the publisher.
    pub stop: Stop,
    /// Is told what the publisher does.
    pub counters: Arc<Counters>,
}

/// What a publisher does, for the log.
pub fn what(links: &Links) -> String {
    format!("publish to {}", links.counters.destination())
}
