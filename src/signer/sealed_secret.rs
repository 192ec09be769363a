//! Secrets that sign no record, as stored in the database: each is sealed for one purpose and one owner.

use std::sync::Arc;

use zeroize::Zeroizing;

use super::{
    MasterKey, MasterKeyId, MasterKeys, SignerError,
    seal::{Parts, decrypt_as, encrypt_as},
};
use crate::domain::WebhookName;

/// What a sealed secret is for. This is part of its associated data, so that it decrypts in no other place.
#[derive(Clone, Copy)]
pub(super) enum Purpose<'a> {
    /// The secret that a webhook's server shares with this service.
    Webhook(&'a WebhookName),
    /// The private half of the ledger's key that has this public half.
    LedgerKey(&'a [u8; 32]),
}

impl Purpose<'_> {
    fn context(self) -> &'static [u8] {
        match self {
            Self::Webhook(_) => b"signwave sealed webhook secret",
            Self::LedgerKey(_) => b"signwave sealed ledger key",
        }
    }

    fn owner(&self) -> &[u8] {
        match self {
            Self::Webhook(webhook) => webhook.as_str().as_bytes(),
            Self::LedgerKey(public) => public.as_slice(),
        }
    }

    /// What to do when the secret is lost.
    fn remedy(self) -> &'static str {
        match self {
            Self::Webhook(_) => "rotate it, which makes another one",
            Self::LedgerKey(_) => "restore it from a backup",
        }
    }

    /// An error of this secret.
    pub(super) fn error(self, problem: impl Into<String>) -> SignerError {
        let problem = problem.into();
        match self {
            Self::Webhook(webhook) => SignerError::WebhookSecret { webhook: webhook.to_string(), problem },
            Self::LedgerKey(_) => SignerError::LedgerKey(problem),
        }
    }

    fn is_damaged(self) -> SignerError {
        self.error(format!("is damaged: {}", self.remedy()))
    }

    fn seal(self, master: &MasterKey, secret: &[u8]) -> Result<Vec<u8>, SignerError> {
        encrypt_as(master, self.context(), self.owner(), secret)
            .ok_or_else(|| self.error("could not be sealed: try again"))
    }

    fn unseal(self, master: &MasterKey, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, SignerError> {
        let parts = Parts::of(sealed).ok().filter(|parts| parts.master == master.id());
        parts
            .and_then(|parts| decrypt_as(master, self.context(), self.owner(), &parts))
            .ok_or_else(|| self.is_damaged())
    }

    fn sealed_under(self, sealed: &[u8]) -> Result<MasterKeyId, SignerError> {
        Parts::of(sealed).map(|parts| parts.master).map_err(|_| {
            self.error(format!("is sealed in an unknown form: use a newer signwave, or {}", self.remedy()))
        })
    }
}

impl MasterKeys {
    /// Seals a secret, under the same master key as [`seal`](Self::seal).
    ///
    /// # Errors
    /// When there is no master key; those of the sources and of the cipher.
    pub(super) fn seal_secret(&self, purpose: Purpose<'_>, secret: &[u8]) -> Result<Vec<u8>, SignerError> {
        let master = self.to_seal_with()?;
        purpose.seal(&*master.ok_or_else(|| purpose.error(NO_MASTER_KEY))?, secret)
    }

    /// Opens a secret.
    ///
    /// # Errors
    /// When no known master key opens it, or it is damaged; those of the sources.
    pub(super) fn unseal_secret(
        &self,
        purpose: Purpose<'_>,
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, SignerError> {
        let id = purpose.sealed_under(sealed)?;
        purpose.unseal(&*self.of_secret(purpose, id)?, sealed)
    }

    /// Seals a secret under the master key `to`. One that is sealed under it already is only tried, and the answer is
    /// `None`.
    ///
    /// # Errors
    /// As [`unseal_secret`](Self::unseal_secret).
    pub(super) fn reseal_secret(
        &self,
        to: &MasterKey,
        purpose: Purpose<'_>,
        sealed: &[u8],
    ) -> Result<Option<Vec<u8>>, SignerError> {
        let id = purpose.sealed_under(sealed)?;
        if id == to.id() {
            return purpose.unseal(to, sealed).map(|_| None);
        }
        let secret = purpose.unseal(&*self.of_secret(purpose, id)?, sealed)?;
        purpose.seal(to, &secret).map(Some)
    }

    fn of_secret(&self, purpose: Purpose<'_>, id: MasterKeyId) -> Result<Arc<MasterKey>, SignerError> {
        self.with_id(id)?.map_err(|given| match given.as_slice() {
            [] => purpose.error(NO_MASTER_KEY),
            _ => purpose
                .error(format!("is sealed under another master key (id {id}): give the one that sealed it")),
        })
    }
}

const NO_MASTER_KEY: &str =
    "needs the master key: name its file with --master-key-file, or give --master-key-command";
