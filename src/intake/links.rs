//! What an intake works with.

use std::sync::Arc;

use actix::Addr;

use super::counters::Counters;
use crate::actors::{News, Stop, db_executor::DbExecutor};

/// What an intake works with.
#[derive(Clone)]
pub struct Links {
    /// The run's database threads. They are a queue, so that the intake keeps no commit waiting for long.
    pub db: Addr<DbExecutor>,
    /// Is told of new records.
    pub news: News,
    /// Ends the intake.
    pub stop: Stop,
    /// Is told what the intake does.
    pub counters: Arc<Counters>,
}
