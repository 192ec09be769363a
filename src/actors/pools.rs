//! The pools of a node: one for each share.

use super::{
    share::{Share, Shares},
    signing_pool::{Job, SigningPool},
};

/// The threads of each share.
pub struct Pools {
    shares: Shares,
    pools: Vec<SigningPool>,
}

impl Pools {
    /// Starts the threads of each share with `start`.
    ///
    /// # Errors
    /// When the operating system refuses to start a thread.
    pub fn start(
        shares: Shares,
        start: impl FnMut(&Share) -> std::io::Result<SigningPool>,
    ) -> std::io::Result<Self> {
        let pools = shares.iter().map(start).collect::<Result<_, _>>()?;
        Ok(Self { shares, pools })
    }

    /// The shares.
    pub fn shares(&self) -> &Shares {
        &self.shares
    }

    /// Hands a job to the threads of the custodian that has its key. The key decides, and not the lease, so that a
    /// signing thread never waits for a custodian.
    pub(super) fn submit(&self, job: Job) {
        self.pools[job.share().index()].submit(job);
    }

    /// Gives back all jobs that no thread has begun, because the service stops.
    pub(super) fn give_back_waiting(&self) {
        self.pools.iter().for_each(SigningPool::give_back_waiting);
    }
}
