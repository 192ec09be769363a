//! Rooms: how many batches each share of the node may lease, and with how large a backlog.

use super::{
    admission::{Admission, Others},
    holdings::Holdings,
    luck::Luck,
};
use crate::actors::{
    share::{ShareId, Shares},
    speed::Speed,
};

/// How fast each share signs, as far as that is known.
pub(super) type Speeds<'a> = &'a dyn Fn(ShareId) -> Option<Speed>;

/// What the shares of this node may lease.
#[derive(Debug)]
pub(super) struct Rooms {
    shares: Vec<OfShare>,
    /// How many batches the signing threads may have in hand. With 0, the node never takes any.
    limit: usize,
    /// The most records that a batch may have: batches may have been formed by another node.
    batch_size: usize,
    /// The last known number of records that wait.
    backlog: u64,
}

#[derive(Debug)]
struct OfShare {
    threads: usize,
    /// The result of the last attempts to lease.
    luck: Luck,
    /// There may be something to lease.
    is_woken: bool,
}

/// What a share may lease in one attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Room {
    /// The share.
    pub share: ShareId,
    /// How many batches at most; never 0.
    pub batches: usize,
    /// The share takes none when fewer records than that wait.
    pub least_backlog: u64,
    /// Whether nothing of it is in hand.
    pub is_idle: bool,
    /// Whether none of its keys may sign, as far as is known.
    pub is_keyless: bool,
}

impl Rooms {
    /// The signing threads have at most `limit` batches in hand.
    pub fn new(shares: &Shares, limit: usize, batch_size: usize) -> Self {
        let threads = shares.iter().map(|share| share.threads());
        let of_share = |threads| OfShare { threads, luck: Luck::Fair, is_woken: true };
        Self { shares: threads.map(of_share).collect(), limit, batch_size, backlog: 0 }
    }

    /// Whether this node leases anything at all.
    pub fn may_lease(&self) -> bool {
        self.limit > 0
    }

    /// The result of the last attempts of a share.
    pub fn luck_of(&self, share: ShareId) -> Luck {
        self.shares[share.index()].luck
    }

    /// Notes the result of an attempt of a share.
    pub fn luck(&mut self, share: ShareId) -> &mut Luck {
        &mut self.shares[share.index()].luck
    }

    /// Notes that there may be something to lease for every share.
    pub fn wake_all(&mut self) {
        self.shares.iter_mut().for_each(|share| share.is_woken = true);
    }

    /// Notes that there may be something to lease for this share.
    pub fn wake(&mut self, share: ShareId) {
        self.shares[share.index()].is_woken = true;
    }

    /// Notes that a share did not try to lease after all, because nothing was open or the backlog was too small. It is to
    /// try again with the next attempt.
    pub fn has_not_tried(&mut self, share: ShareId, nothing_is_open: bool) {
        self.wake(share);
        if nothing_is_open {
            self.luck(share).leased(0, 0);
        }
    }

    /// Notes that waiting shares may be admitted now.
    pub fn wake_waiting(&mut self) {
        self.shares.iter_mut().skip(1).for_each(|share| share.is_woken = true);
    }

    /// Notes that a batch of so many records was leased.
    pub fn note_batch(&mut self, records: usize) {
        self.batch_size = self.batch_size.max(records);
    }

    /// Notes how many records wait.
    pub fn note_backlog(&mut self, backlog: u64) {
        self.backlog = backlog;
    }

    /// Whether a share seems to be admitted. The backlog is looked at once more before it leases.
    pub fn seems_admitted(&self, room: &Room) -> bool {
        room.least_backlog <= self.backlog
    }

    /// The rooms of the shares that may lease something now. The signing threads come first, because the oldest batches
    /// are theirs. Empty if no share seems to be admitted. The shares are not woken any more then.
    pub fn take(&mut self, holdings: &Holdings, speeds: Speeds<'_>) -> Vec<Room> {
        let woken = ShareId::first(self.shares.len()).filter(|share| self.shares[share.index()].is_woken);
        let rooms: Vec<_> = woken.filter_map(|share| self.room(share, holdings, speeds)).collect();
        if !rooms.iter().any(|room| self.seems_admitted(room)) {
            return Vec::new();
        }
        rooms.iter().for_each(|room| self.shares[room.share.index()].is_woken = false);
        rooms
    }

    fn room(&self, share: ShareId, holdings: &Holdings, speeds: Speeds<'_>) -> Option<Room> {
        let in_hand = holdings.in_hand_of(share);
        let (at_most, least_backlog) = if share.waits() {
            let (threads, others) = (self.shares[share.index()].threads, self.others(speeds));
            let admission = Admission { threads, speed: speeds(share), batch_size: self.batch_size };
            (admission.at_most(others), admission.least_backlog(others, in_hand))
        } else {
            (self.limit, 0)
        };
        let batches = at_most.saturating_sub(in_hand);
        let is_keyless = self.is_keyless(share);
        (batches > 0).then_some(Room { share, batches, least_backlog, is_idle: in_hand == 0, is_keyless })
    }

    /// How fast the shares sign among which a waiting share is admitted: all of them, as long as the signing threads
    /// have keys.
    fn others(&self, speeds: Speeds<'_>) -> Others {
        if self.is_keyless(ShareId::SIGNING) {
            return Others::Absent;
        }
        let Some(signing) = speeds(ShareId::SIGNING) else { return Others::Unknown };
        let waiting = ShareId::first(self.shares.len()).skip(1).filter_map(speeds);
        Others::Sign(signing.per_second + waiting.map(|speed| speed.per_second).sum::<f64>())
    }

    fn is_keyless(&self, share: ShareId) -> bool {
        self.luck_of(share) == Luck::Keyless
    }
}
