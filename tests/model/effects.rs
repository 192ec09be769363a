//! What each step does to the system.

use signwave::domain::{BatchId, BatchState, CommitVerdict, NodeId, Outcome};

use super::{
    database::{Signature, index},
    mutants::Mutant,
    steps::{Protocol, Reply, Step},
    system_state::{Held, Life, PROCESSES, Phase, Settled, SystemState},
};

impl Protocol {
    fn is(&self, mutant: Mutant) -> bool {
        self.mutant == Some(mutant)
    }

    /// Takes a step.
    pub fn take(&self, step: Step, system: &mut SystemState) {
        match step {
            Step::EndInsert(record, end) => system.database.records[record] = end,
            Step::OpenBatch => system.database.open_batch(self.mutant),
            Step::Lease(process, reply) => self.lease(process, reply, system),
            Step::StartSigning(lease) => self.start_signing(lease, system),
            Step::EndSigning(lease) => system.leases[lease].phase = Phase::Signed,
            Step::SendCommit(lease) => {
                system.leases[lease].sent = 1;
                system.leases[lease].phase = Phase::Sent;
            }
            Step::Commit(lease, attempt) => self.commit(lease, attempt, system),
            Step::Answer(lease) => {
                let held = &mut system.leases[lease];
                held.phase = match held.phase {
                    Phase::Answered(Settled::Committed) => Phase::Stored,
                    _ => Phase::Fenced,
                };
            }
            Step::LoseAnswer(lease) => system.leases[lease].phase = Phase::Doubtful,
            Step::ReadBack(lease) => self.read_back(lease, system),
            Step::SendRelease(lease) => self.send_release(lease, system),
            Step::Release(lease) => self.release(lease, system),
            Step::Reclaim(node) => self.reclaim(node, system),
            Step::Reregister(process) => self.reregister(process, system),
            Step::Crash(process) => {
                system.crashes += 1;
                system.processes[process].life = Life::Dead;
                system.processes[process].is_uncertain = false;
                system
                    .leases
                    .iter_mut()
                    .filter(|held| held.process == process)
                    .for_each(|held| held.phase = Phase::Forgotten);
            }
            Step::Restart(process) => self.restart(process, system),
            Step::Pause(process) => {
                system.pauses += 1;
                system.processes[process].life = Life::Paused;
            }
            Step::Resume(process) => system.processes[process].life = Life::Running,
            Step::Reveal => self.reveal(system),
        }
    }

    fn lease(&self, process: usize, reply: Reply, system: &mut SystemState) {
        let node = system.processes[process].node;
        let key = if self.is(Mutant::KeysChosenApart) {
            system.processes[process].choice.take()
        } else {
            system.database.next_key(self.bounds, self.mutant)
        };
        let Some(key) = key else {
            let next = system.database.next_key(self.bounds, self.mutant);
            system.processes[process].choice = next.filter(|_| self.is(Mutant::KeysChosenApart));
            return;
        };
        let leased = system.database.lease(node, key, self.bounds, self.mutant);
        let Some((batch, epoch)) = leased else { return };
        let phase = match reply {
            Reply::Arrives => Phase::Leased,
            Reply::Lost => {
                system.lost_leases += 1;
                system.processes[process].is_uncertain = !self.is(Mutant::LostLeaseReplyIgnored);
                Phase::Forgotten
            }
        };
        system.leases.push(Held {
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
    fn start_signing(&self, lease: usize, system: &mut SystemState) {
        let Held { process, key, node, .. } = system.leases[lease];
        let is_in_use =
            |held: &Held| held.process == process && held.key == key && held.phase == Phase::Signing;
        let is_busy = system.leases.iter().any(is_in_use) && !self.is(Mutant::KeyUsedTwiceInAProcess);
        if system.processes[process].node == node && !is_busy {
            system.leases[lease].phase = Phase::Signing;
        }
    }

    fn commit(&self, lease: usize, attempt: u8, system: &mut SystemState) {
        let held = system.leases[lease];
        let signature = Signature { lease, attempt };
        let database = &mut system.database;
        let stored = database.signatures.iter().flatten().any(|row| *row == Some(signature));
        let (mut verdict, mut is_unique) = (database.judge(&held, self.mutant), true);
        match self.mutant {
            Some(Mutant::FenceOutsideTheTransaction) if held.is_checked => verdict = CommitVerdict::Committed,
            Some(Mutant::FenceOutsideTheTransaction) if verdict == CommitVerdict::Committed => {
                system.leases[lease].is_checked = true;
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
        let held = &mut system.leases[lease];
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

    fn read_back(&self, lease: usize, system: &mut SystemState) {
        let batch = system.database.batch(system.leases[lease].batch);
        let (state, epoch) = (batch.state, batch.epoch);
        let held = &mut system.leases[lease];
        held.phase = match Outcome::of(held.epoch, state, epoch) {
            Outcome::NotStored => Phase::Resent,
            Outcome::Stored => Phase::ReadBackAsStored,
            Outcome::Fenced => Phase::Fenced,
        };
        if self.is(Mutant::SignedAgainAndBothStored) && held.phase == Phase::Resent {
            held.sent = 2; // other bytes
        }
    }

    fn send_release(&self, lease: usize, system: &mut SystemState) {
        let held = &mut system.leases[lease];
        let is_unsigned = matches!(held.phase, Phase::Leased | Phase::Signing);
        if is_unsigned || self.is(Mutant::ReleaseAfterCommitWasSent) {
            held.phase = Phase::GivenBack;
            held.is_given_back = true;
        }
    }

    fn release(&self, lease: usize, system: &mut SystemState) {
        let held = system.leases[lease];
        let batch = system.database.batch(held.batch);
        let stands = batch.state == BatchState::Leased || self.is(Mutant::ReleaseAfterCommitWasSent);
        if stands && batch.epoch == held.epoch {
            self.end(held.batch, system);
        }
        if system.leases[lease].phase == Phase::GivenBack {
            system.leases[lease].phase = Phase::Forgotten;
        }
    }

    /// A batch goes back to `open`: whoever held it does so no more.
    fn end(&self, batch: BatchId, system: &mut SystemState) {
        let raise = !matches!(self.mutant, Some(Mutant::EpochNotRaisedAtReclaim | Mutant::EpochNeverRaised));
        system.database.give_back(batch, raise);
        if let Some(held) = system.leases.iter_mut().rfind(|held| held.batch == batch) {
            held.is_ended = true;
        }
    }

    fn reclaim(&self, node: NodeId, system: &mut SystemState) {
        // A process never reclaims itself.
        if (0..PROCESSES).any(|other| system.is_running(other) && system.processes[other].node != node) {
            self.remove(node, system);
        }
    }

    /// Takes away whatever a node holds, and the node itself.
    fn remove(&self, node: NodeId, system: &mut SystemState) {
        system.database.nodes.retain(|other| *other != node);
        for batch in (1..=system.database.batches.len() as i64).map(BatchId) {
            let last = system.leases.iter().rfind(|held| held.batch == batch);
            let is_held = match self.mutant {
                Some(Mutant::ReclaimForgetsTheBatches) => false,
                Some(Mutant::ReclaimWithoutCondition) => last.is_some_and(|held| held.node == node),
                _ => system.database.batch(batch).node == Some(node),
            };
            if is_held {
                self.end(batch, system);
            }
        }
    }

    fn reregister(&self, process: usize, system: &mut SystemState) {
        let me = system.processes[process];
        let is_done = system.leases.iter().all(|held| held.process != process || held.phase.is_settled());
        let is_gone = !system.database.is_registered(me.node);
        if system.database.next_node.0 > self.bounds.ids || !(is_gone || me.is_uncertain && is_done) {
            return;
        }
        self.remove(me.node, system);
        system.processes[process].node = system.database.register();
        system.processes[process].is_uncertain = false;
    }

    fn restart(&self, process: usize, system: &mut SystemState) {
        if !self.is(Mutant::RestartKeepsItsId) {
            if system.database.next_node.0 > self.bounds.ids {
                return;
            }
            system.processes[process].node = system.database.register();
        }
        system.processes[process].life = Life::Running;
    }

    /// Clients see what is stored for signed batches, and keep the first that they saw.
    fn reveal(&self, system: &mut SystemState) {
        if self.is(Mutant::RevealBeforeCommit)
            && let Some(lease) = system.leases.iter().position(|held| held.phase == Phase::Signed)
        {
            let batch = system.database.batch(system.leases[lease].batch);
            for record in batch.runs.iter().map(index) {
                system.shown[record] = system.shown[record].or(Some(Signature { lease, attempt: 0 }));
            }
        }
        for batch in system.database.batches.iter().filter(|batch| batch.state == BatchState::Signed) {
            for record in batch.runs.iter().map(index) {
                system.shown[record] = system.shown[record].or(system.database.signatures[record][0]);
            }
        }
    }
}
