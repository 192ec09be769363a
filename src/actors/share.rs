//! Shares: which threads sign with whose keys.

use std::collections::BTreeMap;

use crate::domain::Reach;

/// A share of the work of a node: custodians, the threads that sign with their keys, and room for leases. No share
/// waits for another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Share {
    /// The custodian that signs outside this process; `None` for the signing threads.
    custodian: Option<String>,
    threads: usize,
}

/// Which share of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ShareId(usize);

/// The shares of a node: that of the signing threads, which sign with the keys of all custodians that need this
/// process to sign, and one for each custodian that signs elsewhere, whose threads only wait for its answers.
#[derive(Clone, Debug)]
pub struct Shares(Vec<Share>);

impl Share {
    /// How many batches it signs at a time.
    pub fn threads(&self) -> usize {
        self.threads
    }

    /// The custodian for which the threads wait; `None` for the signing threads.
    pub fn custodian(&self) -> Option<&str> {
        self.custodian.as_deref()
    }
}

impl ShareId {
    /// The share of the signing threads.
    pub const SIGNING: Self = Self(0);

    /// Its place among the shares.
    pub(super) fn index(self) -> usize {
        self.0
    }

    /// Whether its threads wait for a custodian that signs outside this process.
    pub fn waits(self) -> bool {
        self != Self::SIGNING
    }

    /// So many shares of a node.
    pub(super) fn first(count: usize) -> impl Iterator<Item = Self> {
        (0..count).map(Self)
    }
}

impl Shares {
    /// So many signing threads, and the custodians that sign elsewhere, with how many batches each signs at a time.
    pub fn new(signing_threads: usize, sessions: BTreeMap<String, usize>) -> Self {
        let signing = Share { custodian: None, threads: signing_threads };
        let waiting = sessions.into_iter().map(|(name, threads)| Share { custodian: Some(name), threads });
        Self([signing].into_iter().chain(waiting).collect())
    }

    /// The share that signs with the keys of a custodian.
    pub fn of(&self, custodian: &str) -> ShareId {
        let place = self.0.iter().position(|share| share.custodian() == Some(custodian));
        place.map_or(ShareId::SIGNING, ShareId)
    }

    /// The part of `reach` that belongs to a share.
    pub fn reach(&self, share: ShareId, reach: &Reach) -> Reach {
        Reach::of(reach.names().filter(|name| self.of(name) == share).map(str::to_owned))
    }

    /// Whether there is another share beside that of the signing threads.
    pub fn are_many(&self) -> bool {
        self.0.len() > 1
    }

    /// All of them, in the order of their ids.
    pub fn iter(&self) -> impl Iterator<Item = &Share> {
        self.0.iter()
    }

    /// How many batches they sign at a time in all.
    pub fn threads(&self) -> usize {
        self.0.iter().map(Share::threads).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_custodian_that_signs_elsewhere_has_a_share_and_all_others_have_that_of_the_signing_threads() {
        let sessions = [("hsm", 4), ("card", 1)].map(|(name, sessions)| (name.to_owned(), sessions));
        let shares = Shares::new(2, sessions.into());
        let threads: Vec<_> = shares.iter().map(|share| (share.custodian(), share.threads())).collect();
        assert_eq!(threads, [(None, 2), (Some("card"), 1), (Some("hsm"), 4)]);
        assert_eq!(shares.threads(), 7);
        let of = |name| shares.of(name).index();
        assert_eq!(["database", "files", "card", "hsm"].map(of), [0, 0, 1, 2]);
        let reach = Reach::from("database,files,hsm");
        let parts: Vec<_> = ShareId::first(3).map(|share| shares.reach(share, &reach).to_string()).collect();
        assert_eq!(parts, ["database,files", "", "hsm"]);
        assert_eq!(ShareId::first(3).map(ShareId::waits).collect::<Vec<_>>(), [false, true, true]);
    }
}
