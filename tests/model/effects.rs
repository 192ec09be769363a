//! What each step does to the world.

use signwave::domain::{BatchId, BatchState, CommitVerdict, NodeId, Outcome};

use super::{
    database::{Signature, index},
    mutants::Mutant,
    steps::{Protocol, Reply, Step},
    world::{Held, Life, PROCESSES, Phase, Settled, World},
};

impl Protocol {
    fn is(&self, mutant: Mutant) -> bool {
        self.mutant == Some(mutant)
    }

    /// Takes a step.
    pub fn take(&self, step: Step, world: &mut World) {
        match step {
            Step::EndInsert(record, end) => world.database.records[record] = end,
            Step::OpenBatch => world.database.open_batch(self.mutant),
            Step::Lease(process, reply) => self.lease(process, reply, world),
            Step::StartSigning(lease) => self.start_signing(lease, world),
            Step::EndSigning(lease) => world.leases[lease].phase = Phase::Signed,
            Step::SendCommit(lease) => {
                world.leases[lease].sent = 1;
                world.leases[lease].phase = Phase::Sent;
            }
            Step::Commit(lease, attempt) => self.commit(lease, attempt, world),
            Step::Answer(lease) => {
                let held = &mut world.leases[lease];
                held.phase = match held.phase {
                    Phase::Answered(Settled::Committed) => Phase::Stored,
                    _ => Phase::Fenced,
                };
            }
            Step::LoseAnswer(lease) => world.leases[lease].phase = Phase::Doubtful,
            Step::ReadBack(lease) => self.read_back(lease, world),
            Step::SendRelease(lease) => self.send_release(lease, world),
            Step::Release(lease) => self.release(lease, world),
            Step::Reclaim(node) => self.reclaim(node, world),
            Step::Reregister(process) => self.reregister(process, world),
            Step::Crash(process) => {
                world.crashes += 1;
                world.processes[process].life = Life::Dead;
                world.processes[process].is_uncertain = false;
                world
                    .leases
                    .iter_mut()
                    .filter(|held| held.process == process)
                    .for_each(|held| held.phase = Phase::Forgotten);
            }
            Step::Restart(process) => self.restart(process, world),
            Step::Pause(process) => {
                world.pauses += 1;
                world.processes[process].life = Life::Paused;
            }
            Step::Resume(process) => world.processes[process].life = Life::Running,
            Step::Reveal => self.reveal(world),
        }
    }

    fn lease(&self, process: usize, reply: Reply, world: &mut World) {
        let node = world.processes[process].node;
        let key = if self.is(Mutant::KeysChosenApart) {
            world.processes[process].choice.take()
        } else {
            world.database.next_key(self.bounds.keys)
        };
        let Some(key) = key else {
            world.processes[process].choice =
                world.database.next_key(self.bounds.keys).filter(|_| self.is(Mutant::KeysChosenApart));
            return;
        };
        let Some((batch, epoch)) = world.database.lease(node, key, self.mutant) else { return };
        let phase = match reply {
            Reply::Arrives => Phase::Leased,
            Reply::Lost => {
                world.lost_leases += 1;
                world.processes[process].is_uncertain = !self.is(Mutant::LostLeaseReplyIgnored);
                Phase::Forgotten
            }
        };
        world.leases.push(Held {
            batch,
            key,
            node,
            epoch,
            process,
            phase,
            sent: 0,
            is_given_back: false,
            is_ended: false,
            is_checked: false,
        });
    }

    /// Only while the process is the node that leased, and after whatever its key does otherwise.
    fn start_signing(&self, lease: usize, world: &mut World) {
        let Held { process, key, node, .. } = world.leases[lease];
        let is_in_use =
            |held: &Held| held.process == process && held.key == key && held.phase == Phase::Signing;
        let is_busy = world.leases.iter().any(is_in_use) && !self.is(Mutant::KeyUsedTwiceInAProcess);
        if world.processes[process].node == node && !is_busy {
            world.leases[lease].phase = Phase::Signing;
        }
    }

    fn commit(&self, lease: usize, attempt: u8, world: &mut World) {
        let held = world.leases[lease];
        let signature = Signature { lease, attempt };
        let database = &mut world.database;
        let stored = database.signatures.iter().flatten().any(|row| *row == Some(signature));
        let (mut verdict, mut is_unique) = (database.judge(&held, self.mutant), true);
        match self.mutant {
            Some(Mutant::FenceOutsideTheTransaction) if held.is_checked => verdict = CommitVerdict::Committed,
            Some(Mutant::FenceOutsideTheTransaction) if verdict == CommitVerdict::Committed => {
                world.leases[lease].is_checked = true;
                return;
            }
            Some(Mutant::CommitInTwoTransactions) if verdict == CommitVerdict::Committed && !stored => {
                database.insert_signatures(held.batch, signature, true);
                return;
            }
            Some(Mutant::SignedAgainAndBothStored) if self.settle(verdict, &held) == Settled::Committed => {
                is_unique = false;
                verdict = CommitVerdict::Committed;
            }
            Some(Mutant::RowsAffectedIgnored) if verdict != CommitVerdict::Committed => {
                database.insert_signatures(held.batch, signature, true);
            }
            _ => {}
        }
        if verdict == CommitVerdict::Committed {
            let is_taken = stored || database.insert_signatures(held.batch, signature, is_unique);
            if !is_taken {
                return; // refused by the primary key: nothing happened
            }
            database.mark_signed(held.batch);
        }
        let settled = self.settle(verdict, &held);
        let held = &mut world.leases[lease];
        if matches!(held.phase, Phase::Sent | Phase::Resent) {
            held.phase = Phase::Answered(settled);
        }
    }

    /// As the service judges an answer: an earlier attempt may have been stored meanwhile.
    fn settle(&self, verdict: CommitVerdict, held: &Held) -> Settled {
        match verdict {
            CommitVerdict::Committed => Settled::Committed,
            CommitVerdict::Fenced { state: BatchState::Signed, .. }
                if self.is(Mutant::FencedIsTakenForStored) =>
            {
                Settled::Committed
            }
            CommitVerdict::Fenced { state, epoch, .. }
                if Outcome::of(held.epoch, state, epoch) == Outcome::Stored =>
            {
                Settled::Committed
            }
            CommitVerdict::Fenced { .. } => Settled::Fenced,
        }
    }

    fn read_back(&self, lease: usize, world: &mut World) {
        let batch = world.database.batch(world.leases[lease].batch);
        let (state, epoch) = (batch.state, batch.epoch);
        let held = &mut world.leases[lease];
        held.phase = match Outcome::of(held.epoch, state, epoch) {
            Outcome::NotStored => Phase::Resent,
            Outcome::Stored => Phase::ReadBackAsStored,
            Outcome::Fenced => Phase::Fenced,
        };
        if self.is(Mutant::SignedAgainAndBothStored) && held.phase == Phase::Resent {
            held.sent = 2; // other bytes
        }
    }

    fn send_release(&self, lease: usize, world: &mut World) {
        let held = &mut world.leases[lease];
        let is_unsigned = matches!(held.phase, Phase::Leased | Phase::Signing);
        if is_unsigned || self.is(Mutant::ReleaseAfterCommitWasSent) {
            held.phase = Phase::GivenBack;
            held.is_given_back = true;
        }
    }

    fn release(&self, lease: usize, world: &mut World) {
        let held = world.leases[lease];
        let batch = world.database.batch(held.batch);
        let stands = batch.state == BatchState::Leased || self.is(Mutant::ReleaseAfterCommitWasSent);
        if stands && batch.epoch == held.epoch {
            self.end(held.batch, world);
        }
        if world.leases[lease].phase == Phase::GivenBack {
            world.leases[lease].phase = Phase::Forgotten;
        }
    }

    /// A batch goes back to `open`: whoever held it does so no more.
    fn end(&self, batch: BatchId, world: &mut World) {
        let raise = !matches!(self.mutant, Some(Mutant::EpochNotRaisedAtReclaim | Mutant::EpochNeverRaised));
        world.database.give_back(batch, raise);
        if let Some(held) = world.leases.iter_mut().rfind(|held| held.batch == batch) {
            held.is_ended = true;
        }
    }

    fn reclaim(&self, node: NodeId, world: &mut World) {
        // A process never reclaims itself.
        if (0..PROCESSES).any(|other| world.is_running(other) && world.processes[other].node != node) {
            self.remove(node, world);
        }
    }

    /// Takes away whatever a node holds, and the node itself.
    fn remove(&self, node: NodeId, world: &mut World) {
        world.database.nodes.retain(|other| *other != node);
        for batch in (1..=world.database.batches.len() as i64).map(BatchId) {
            let last = world.leases.iter().rfind(|held| held.batch == batch);
            let is_held = match self.mutant {
                Some(Mutant::ReclaimForgetsTheBatches) => false,
                Some(Mutant::ReclaimWithoutCondition) => last.is_some_and(|held| held.node == node),
                _ => world.database.batch(batch).node == Some(node),
            };
            if is_held {
                self.end(batch, world);
            }
        }
    }

    fn reregister(&self, process: usize, world: &mut World) {
        let me = world.processes[process];
        let is_done = world.leases.iter().all(|held| held.process != process || held.phase.is_settled());
        let is_gone = !world.database.is_registered(me.node);
        if world.database.next_node.0 > self.bounds.ids || !(is_gone || me.is_uncertain && is_done) {
            return;
        }
        self.remove(me.node, world);
        world.processes[process].node = world.database.register();
        world.processes[process].is_uncertain = false;
    }

    fn restart(&self, process: usize, world: &mut World) {
        if !self.is(Mutant::RestartKeepsItsId) {
            if world.database.next_node.0 > self.bounds.ids {
                return;
            }
            world.processes[process].node = world.database.register();
        }
        world.processes[process].life = Life::Running;
    }

    /// Clients see what is stored for signed batches, and keep the first that they saw.
    fn reveal(&self, world: &mut World) {
        if self.is(Mutant::RevealBeforeCommit)
            && let Some(lease) = world.leases.iter().position(|held| held.phase == Phase::Signed)
        {
            let batch = world.database.batch(world.leases[lease].batch);
            for record in batch.runs.iter().map(index) {
                world.shown[record] = world.shown[record].or(Some(Signature { lease, attempt: 0 }));
            }
        }
        for batch in world.database.batches.iter().filter(|batch| batch.state == BatchState::Signed) {
            for record in batch.runs.iter().map(index) {
                world.shown[record] = world.shown[record].or(world.database.signatures[record][0]);
            }
        }
    }
}
