//! Snapshot: the status of the database, read once a second at most, however many clients ask.

use std::{sync::Arc, time::Duration};

use tokio::{sync::Mutex, time::Instant};

use super::problem::Problem;
use crate::store::Status;

/// The last status that was read, and when.
#[derive(Default)]
pub struct Snapshot(Mutex<Option<(Instant, Arc<Status>)>>);

impl Snapshot {
    /// How old a status may be.
    pub const AGE: Duration = Duration::from_secs(1);

    /// The status as it was within the last second. Others who ask meanwhile wait for the same answer.
    ///
    /// # Errors
    /// Those of `read`, which reads it.
    pub async fn status(
        &self,
        read: impl Future<Output = Result<Status, Problem>>,
    ) -> Result<Arc<Status>, Problem> {
        let mut last = self.0.lock().await;
        if let Some((at, status)) = &*last
            && at.elapsed() < Self::AGE
        {
            return Ok(Arc::clone(status));
        }
        let status = Arc::new(read.await?);
        *last = Some((Instant::now(), Arc::clone(&status)));
        Ok(status)
    }
}
