//! A token as commands use it: opened once, without a second attempt.

use std::{path::Path, time::Duration};

use super::{
    Location, TokenSettings,
    host::{Host, NotOpened},
    keeper::sign,
    protocol::{
        Answer, Ask, Blame, Bytes, Description, Fault, KeyAddress, ToGenerate, ToSign, TokenKey, Wanted,
    },
    signer::error,
};
use crate::{
    domain::{Digest, Scheme},
    signer::{PublicKey, SignerError},
};

/// An open token. It is closed when this is dropped.
pub struct TokenAccess {
    custodian: String,
    host: Host,
}

/// The most keys that a token may list.
const KEYS_AT_MOST: usize = 20_000;

/// How long a token may take to make a key.
const GENERATING: Duration = Duration::from_secs(600);

impl TokenAccess {
    /// Opens the token of a custodian. `program` is this program.
    ///
    /// # Errors
    /// When the token cannot be opened: why, and what to do.
    pub fn open(custodian: &str, program: &Path, settings: &TokenSettings) -> Result<Self, SignerError> {
        let opened = Host::start(custodian, program, settings, false, || {});
        let host = opened.map_err(|NotOpened { fault, .. }| error(custodian, fault))?;
        Ok(Self { custodian: custodian.to_owned(), host })
    }

    /// The name of its custodian.
    pub fn custodian(&self) -> &str {
        &self.custodian
    }

    /// How many sessions are open.
    pub fn sessions(&self) -> usize {
        self.host.sessions()
    }

    /// What the token is and can do.
    ///
    /// # Errors
    /// When the token fails.
    pub fn describe(&self) -> Result<Description, SignerError> {
        let answers = self.ask(Ask::Describe, 1, self.host.timeout())?;
        let description = answers.into_iter().find_map(|answer| match answer {
            Answer::Description(description) => Some(description),
            _ => None,
        });
        description.ok_or_else(|| self.strange())
    }

    /// The private keys with this id and label, of all types.
    ///
    /// # Errors
    /// When the token fails.
    pub fn list(&self, id: Option<&[u8]>, label: Option<&str>) -> Result<Vec<TokenKey>, SignerError> {
        let wanted = Wanted { id: id.map(|id| Bytes(id.to_vec())), label: label.map(str::to_owned) };
        let answers = self.ask(Ask::List(wanted), KEYS_AT_MOST, self.host.timeout())?;
        Ok(answers.into_iter().filter_map(key).collect())
    }

    /// Makes a key pair in the token.
    ///
    /// # Errors
    /// When the token fails, or refuses the size.
    pub fn generate(&self, bits: u32, id: &[u8], label: &str) -> Result<TokenKey, SignerError> {
        let ask = Ask::Generate(ToGenerate { bits, id: Bytes(id.to_vec()), label: label.to_owned() });
        let answers = self.ask(ask, 1, GENERATING)?;
        answers.into_iter().find_map(key).ok_or_else(|| self.strange())
    }

    /// Signs digests. The signatures are not checked.
    ///
    /// # Errors
    /// The outer error when the token fails; the inner error when it does not sign so with this key: why not.
    pub(super) fn sign(
        &self,
        key: &PublicKey,
        location: &Location,
        scheme: Scheme,
        digests: &[Digest],
    ) -> Result<Result<Vec<Vec<u8>>, String>, SignerError> {
        let key = KeyAddress { location: location.clone(), modulus: Bytes(key.numbers().0) };
        let digests = digests.iter().map(|digest| Bytes(digest.as_bytes().to_vec())).collect();
        match sign(&self.host, ToSign { key, scheme, digests }) {
            Ok(answers) => Ok(Ok(answers.into_iter().filter_map(signature).collect())),
            Err(Fault { blame: Blame::Key, reason }) => Ok(Err(reason)),
            Err(fault) => Err(error(&self.custodian, fault)),
        }
    }

    fn ask(&self, ask: Ask, at_most: usize, timeout: Duration) -> Result<Vec<Answer>, SignerError> {
        self.host.ask(ask, at_most, timeout).map_err(|fault| error(&self.custodian, fault))
    }

    fn strange(&self) -> SignerError {
        let reason = "its process left out an answer: this is a bug, please report it".to_owned();
        SignerError::CustodianDown { custodian: self.custodian.clone(), reason }
    }
}

fn key(answer: Answer) -> Option<TokenKey> {
    match answer {
        Answer::Key(key) => Some(key),
        _ => None,
    }
}

fn signature(answer: Answer) -> Option<Vec<u8>> {
    match answer {
        Answer::Signature(Bytes(signature)) => Some(signature),
        _ => None,
    }
}
