//! The feed: makes frames of the status each second, and of the batches that this process stores.

use std::time::Duration;

use actix_rt::time::interval;
use serde::Serialize;
use tokio::sync::broadcast::{Receiver, error::RecvError};
use tokio::time::MissedTickBehavior;
use utoipa::ToSchema;

use super::frame::Frame;
use crate::{
    actors::Committed,
    http::{app::App, snapshot::Snapshot, status::StatusBody},
};

/// A little longer than a status is kept, so that each tick reads a new one.
const TICK: Duration = Snapshot::AGE.saturating_add(Duration::from_millis(10));

/// How many batches of a second are named.
const NAMED: usize = 100;

/// The batches that this process has stored since the last event of this kind.
#[derive(Default, Serialize, ToSchema)]
pub struct SignedBody {
    /// The batches, a hundred at most.
    batches: Vec<String>,
    /// How many batches there were.
    batch_count: u64,
    /// How many records they had.
    records: u64,
    /// How many batches are not counted here, because too many came at once.
    missed: u64,
}

/// Sends frames to the viewers as long as there are any.
pub async fn feed(app: App, mut commits: Receiver<Committed>) {
    let (mut ticks, mut signed) = (interval(TICK), SignedBody::default());
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            committed = commits.recv() => match committed {
                Ok(Committed { batch, records }) => {
                    signed.batch_count += 1;
                    signed.records += records.len();
                    if signed.batches.len() < NAMED {
                        signed.batches.push(batch.to_string());
                    }
                }
                Err(RecvError::Lagged(missed)) => signed.missed += missed,
                Err(RecvError::Closed) => return,
            },
            _ = ticks.tick() => {
                if app.viewers().may_end() {
                    return;
                }
                if signed.batch_count + signed.missed > 0 {
                    app.viewers().send(Frame::passing("signed", &std::mem::take(&mut signed)));
                }
                // While the database is away there is no status.
                if let Ok(status) = StatusBody::now(&app).await {
                    app.viewers().send(Frame::passing("status", &status));
                }
            }
        }
    }
}
