//! A session that answers requests, one at a time.

use std::{sync::Arc, time::Duration};

use crossbeam_channel::{Receiver, RecvTimeoutError};
use cryptoki::{
    context::Pkcs11,
    error::{Error, RvError},
    session::{Session as Raw, SessionState},
    slot::Slot,
};

use super::{Answers, describing, fault::of_token, generating, keys::Keys, signing};
use crate::signer::token::protocol::{Answer, Ask, Blame, Fault, Request};

/// Some tokens close sessions that were idle for 15 s.
const KEEP_ALIVE: Duration = Duration::from_secs(10);

/// An open session, logged in.
pub(super) struct Session {
    module: Pkcs11,
    slot: Slot,
    raw: Raw,
    keys: Arc<Keys>,
    /// How many sessions there are.
    count: usize,
}

impl Session {
    pub(super) fn new(module: Pkcs11, slot: Slot, raw: Raw, keys: Arc<Keys>, count: usize) -> Self {
        Self { module, slot, raw, keys, count }
    }

    /// Answers requests until there are no more, and keeps the session alive in between. After a fault that is not a
    /// key's, the session may be in any state, and this process is about to be killed.
    pub(super) fn serve(mut self, waiting: &Receiver<Request>, answers: &Answers) {
        loop {
            match waiting.recv_timeout(KEEP_ALIVE) {
                Ok(Request { id, ask }) => {
                    let outcome = self.answer(ask, |answer| answers.send(id, answer));
                    answers.outcome(id, outcome);
                }
                Err(RecvTimeoutError::Timeout) => {
                    if let Err(fault) = self.ping() {
                        // A new process is ready again before the next batch comes.
                        eprintln!("this process ends: {}", fault.reason);
                        super::die();
                    }
                }
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn answer(&mut self, ask: Ask, tell: impl Fn(Answer)) -> Result<(), Fault> {
        let outcome = match ask {
            Ask::Start(_) => Err(Fault::custodian("it was opened twice: this is a bug, please report it")),
            Ask::Sign(to_sign) => signing::sign(&self.raw, &self.keys, &to_sign, tell),
            Ask::List(wanted) => self.keys.list(&self.raw, &wanted, tell),
            Ask::Generate(to_generate) => generating::generate(&self.raw, &to_generate, tell),
            Ask::Describe => describing::describe(&self.module, self.slot, self.count, tell),
            Ask::Ping => self.ping(),
        };
        match outcome {
            Err(fault) if fault.blame == Blame::Key => {
                self.renew()?;
                Err(fault)
            }
            outcome => outcome,
        }
    }

    /// Opens a new session in the place of this one, in which an operation that failed may still be active.
    fn renew(&mut self) -> Result<(), Fault> {
        let renewed =
            self.module.open_rw_session(self.slot).or_else(|_| self.module.open_ro_session(self.slot));
        self.raw = renewed.map_err(|error| of_token("a session could not be opened anew", &error))?;
        Ok(())
    }

    /// Asks the token something that it cannot answer from memory, and whether it is still logged in.
    fn ping(&self) -> Result<(), Fault> {
        let failed = |error| of_token("the token does not answer", &error);
        let info = self.raw.get_session_info().map_err(failed)?;
        if !matches!(info.session_state(), SessionState::RoUser | SessionState::RwUser) {
            return Err(Fault::custodian("the token has logged us out"));
        }
        match self.raw.generate_random_vec(8) {
            Ok(_) | Err(Error::Pkcs11(RvError::RandomNoRng | RvError::FunctionNotSupported, _)) => Ok(()),
            Err(error) => Err(failed(error)),
        }
    }
}
