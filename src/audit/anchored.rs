//! Compares the ledger, as it is computed anew, with what anchors say of it.

use std::iter::Peekable;

use super::{Problem, findings::Findings};
use crate::{
    anchors::{self, AnchorAddress, AnchorError, Claim, Outcome, Passage},
    domain::{
        ledger::{Hash, Head, Origin, Restored},
        promises::Breach,
    },
};

/// What an anchor says, and whether it must be so. The last commit of a file may have no outcome: what it would have led to
/// is as anchored if it is so, and is nothing otherwise.
#[derive(Clone, Copy)]
struct Said {
    claim: Claim,
    must: bool,
}

/// An anchor that is being read beside the ledger, from its beginning.
pub struct Anchor {
    name: String,
    origin: Origin,
    claims: Peekable<Box<dyn Iterator<Item = Result<Said, AnchorError>>>>,
    /// The last entry that it knows and that was found as it says.
    reached: u64,
    /// Whether something is wrong already. What comes behind it is, too.
    is_over: bool,
}

impl Anchor {
    /// Opens an anchor to read it.
    ///
    /// # Errors
    /// When it cannot be read, or is none.
    pub fn open(address: &AnchorAddress) -> Result<Self, AnchorError> {
        let reader = anchors::read(address)?;
        let origin = reader.origin();
        let claims = reader.flat_map(|passage| match passage {
            Ok(passage) => {
                let undecided = match &passage {
                    Passage::Attempt(attempt) if attempt.outcome == Outcome::Undecided => Some(attempt.next),
                    _ => None,
                };
                let musts = passage.claims().into_iter().map(|claim| Said { claim, must: true });
                let may = undecided.map(|next| Said { claim: Claim::Head(next), must: false });
                musts.chain(may).map(Ok).collect()
            }
            Err(error) => vec![Err(error)],
        });
        let claims: Box<dyn Iterator<Item = _>> = Box::new(claims);
        let name = address.to_string();
        Ok(Self { name, origin, claims: claims.peekable(), reached: 0, is_over: false })
    }

    /// Whose anchor it is.
    pub(super) fn origin(&self) -> Origin {
        self.origin
    }

    /// Begins the comparison with a ledger. The anchor of an earlier incarnation is compared up to the restore that ended it, if
    /// another anchor vouches for that restore. Otherwise the database could say that it was restored whenever it is not what
    /// its anchor knows.
    pub(super) fn begin(&mut self, origin: Origin, is_vouched_for: bool, findings: &Findings) {
        let is_earlier = self.origin.id == origin.id && self.origin.incarnation < origin.incarnation;
        if self.origin != origin && !(is_earlier && is_vouched_for) {
            let (name, found) = (self.name.clone(), self.origin.to_string());
            self.end_with(Problem::OtherAnchor { name, found, expected: origin.to_string() }, findings);
        }
    }

    /// Compares an entry, and the root of all entries up to it, with what the anchor says of them.
    pub(super) fn see(&mut self, leaf: Hash, head: Head, findings: &Findings) {
        while let Some(Said { claim, must }) = self.next_up_to(head.size, findings) {
            let is_so = match claim {
                Claim::Leaf { seq, leaf: claimed } => seq < head.size || claimed == leaf,
                // What is below was compared when it was reached, or is part of the root here.
                Claim::Head(claimed) => claimed.size < head.size || claimed.root == head.root,
            };
            if !is_so && !must {
                continue;
            }
            if !is_so {
                let breach = Breach::NotAsAnchored { anchor: self.name.clone(), seq: head.size };
                return self.end_with(breach, findings);
            }
            self.reached = self.reached.max(size(&claim));
        }
    }

    /// Ends the comparison if this restore ended the anchor's incarnation. What the anchor knows beyond it must have been known.
    pub(super) fn restored(&mut self, restored: &Restored, findings: &Findings) {
        if self.origin != restored.from || self.is_over {
            return;
        }
        let mut last = restored.lost;
        while let Some(Said { claim, must }) = self.next_up_to(u64::MAX, findings) {
            last = last.max(if must { size(&claim) } else { 0 });
        }
        if last > restored.lost {
            let (name, origin, accepted) = (self.name.clone(), self.origin.to_string(), restored.lost);
            return self.end_with(Problem::NotAccepted { name, origin, known: last, accepted }, findings);
        }
        self.is_over = true;
    }

    /// Ends the comparison with a ledger that has `now` entries by now. Returns up to which entry it is as anchored.
    pub(super) fn end(mut self, now: u64, findings: &Findings) -> u64 {
        let mut last = None;
        while let Some(Said { claim, must }) = self.next_up_to(u64::MAX, findings) {
            last = last.max(must.then(|| size(&claim)));
        }
        if let Some(anchored) = last.filter(|last| *last > now) {
            let breach = Breach::BehindAnchor { anchor: self.name.clone(), anchored, found: now };
            self.end_with(breach, findings);
        }
        self.reached
    }

    /// The next claim, if it is about nothing behind `seq`.
    fn next_up_to(&mut self, seq: u64, findings: &Findings) -> Option<Said> {
        if self.is_over {
            return None;
        }
        match self.claims.next_if(|said| said.as_ref().map_or(true, |said| size(&said.claim) <= seq))? {
            Ok(said) => Some(said),
            Err(error) => {
                let what = format!("the anchor '{}'", self.name);
                self.end_with(Problem::Unreadable { what, reason: error.to_string() }, findings);
                None
            }
        }
    }

    fn end_with(&mut self, problem: impl Into<Problem>, findings: &Findings) {
        self.is_over = true;
        findings.add(problem);
    }
}

/// The number of the last entry that a claim is about.
fn size(claim: &Claim) -> u64 {
    match claim {
        Claim::Leaf { seq, .. } => *seq,
        Claim::Head(head) => head.size,
    }
}
