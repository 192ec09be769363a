//! `signwave keys add`.

use anyhow::{Result, bail};
use clap::Args;

use super::{
    import::{Known, store_and_print},
    key_id::KeyId,
    limits::Limits,
    rows::row,
};
use crate::{
    cli::{
        context::{Context, Place},
        failure::Usage,
    },
    domain::KeyMaterial,
    signer::{
        KeyFiles, PublicKey,
        token::{Candidate, TokenAccess, protocol::TokenKey},
    },
    store::NewKey,
};

/// Add keys that a custodian keeps outside the database.
#[derive(Args, Debug)]
#[command(after_help = "\
A custodian is a section of the settings file: a directory of key files, or a hardware token.

  [custody.mounted]                             [custody.hsm1]
  kind = \"file\"                                 kind = \"pkcs11\"
  directory = \"/run/secrets/signing-keys\"       module = \"/usr/lib/softhsm/libsofthsm2.so\"
                                                token = \"LABEL\"
                                                pin-file = \"/run/secrets/pin\"

Only the public half of each key gets into the database, and the name of its file, or its id and
label in the token. Processes whose settings do not name the custodian leave its keys to others.
Keys in files are checked as 'signwave keys import' does it. A key in a token must have a size and
an exponent that 'signwave keys import' accepts, sign with all six schemes, and need no PIN for
each signature; with --all, keys that are not RSA keys are left out. If one of several keys is
refused, none is added. A key that is already stored is skipped, and keeps its limits. The
fingerprints of the new keys are printed.

Examples:
  signwave keys add --custodian mounted --all
  signwave keys add --custodian mounted signer-1.pem signer-2.pem
  signwave keys add --custodian hsm1 --id 01a2")]
pub struct Add {
    /// Who has the keys: NAME of [custody.NAME] in the settings file
    #[arg(long, value_name = "NAME")]
    custodian: String,
    /// Add all keys that it has
    #[arg(long, conflicts_with_all = ["names", "id", "label"])]
    all: bool,
    /// The key of a token with this id (CKA_ID)
    #[arg(long, value_name = "HEX", conflicts_with_all = ["names", "label"])]
    id: Option<KeyId>,
    /// The key of a token with this label (CKA_LABEL)
    #[arg(long, value_name = "TEXT", conflicts_with = "names")]
    label: Option<String>,
    /// The keys: names of files in the custodian's directory
    #[arg(value_name = "FILE", required_unless_present_any = ["all", "id", "label"])]
    names: Vec<String>,
    #[command(flatten)]
    limits: Limits,
}

impl Add {
    pub(super) fn run(&self, context: &Context) -> Result<()> {
        self.limits.of_new_key()?; // before anything is asked for
        match context.custodian(&self.custodian)? {
            Place::Files(files) => self.add_files(context, &files),
            Place::Token(settings) => self.add_from_token(context, &settings.open()?),
        }
    }

    fn add_files(&self, context: &Context, files: &KeyFiles) -> Result<()> {
        if self.id.is_some() || self.label.is_some() {
            bail!(Usage(format!("the custodian '{}' has files: name them, or give --all", self.custodian)));
        }
        let names = if self.all { files.names()? } else { self.names.clone() };
        if names.is_empty() {
            bail!(Usage(format!("the custodian '{}' has no files", self.custodian)));
        }
        let store = context.open()?.store;
        let mut known = Known::stored(store.as_ref())?;
        let mut keys = Vec::new();
        for name in names {
            let key = self.in_file(files, &name, &mut known).map_err(|error| not_added(&name, error))?;
            keys.extend(key.map(|key| (format!("'{name}'"), key)));
        }
        store_and_print(store.as_ref(), keys)
    }

    /// The row of the key in a file, unless it is known.
    fn in_file(&self, files: &KeyFiles, name: &str, known: &mut Known) -> Result<Option<NewKey>> {
        let key = files.key(name)?;
        let is_new =
            known.adds(&format!("'{name}'"), key.public_key(), |other| key.shares_prime_with(other))?;
        is_new.then(|| self.row(key.public_key(), name.to_owned())).transpose()
    }

    fn add_from_token(&self, context: &Context, token: &TokenAccess) -> Result<()> {
        if !self.names.is_empty() {
            bail!(Usage(format!(
                "the custodian '{}' is a token: name a key with --id or --label, or give --all",
                self.custodian
            )));
        }
        let store = context.open()?.store;
        let mut known = Known::stored(store.as_ref())?;
        let mut keys = Vec::new();
        let wanted = self.wanted(token)?;
        for key in &wanted {
            let name = name(key);
            let new =
                self.in_token(token, key, &wanted, &mut known).map_err(|error| not_added(&name, error))?;
            keys.extend(new.map(|new| (format!("'{name}'"), new)));
        }
        store_and_print(store.as_ref(), keys)
    }

    /// The keys of a token that were asked for.
    fn wanted(&self, token: &TokenAccess) -> Result<Vec<TokenKey>> {
        let id = self.id.as_ref().map(KeyId::as_bytes);
        let mut keys = token.list(id, self.label.as_deref())?;
        if self.all {
            keys.retain(|key| {
                if !key.is_rsa {
                    log::info!("'{}' is not an RSA key: left out", name(key));
                }
                key.is_rsa
            });
        }
        match keys.len() {
            0 if self.all => bail!("the token of '{}' has no RSA key", self.custodian),
            0 => bail!(
                "the token of '{}' has no such private key: 'signwave custody check' lists its keys",
                self.custodian
            ),
            1 => Ok(keys),
            _ if self.all => Ok(keys),
            count => bail!(
                "the token of '{}' has {count} private keys with this {}, so that it is not certain which is meant: \
                 give each a different one",
                self.custodian,
                if self.id.is_some() { "id" } else { "label" }
            ),
        }
    }

    /// The row of a key of a token, unless it is known.
    fn in_token(
        &self,
        token: &TokenAccess,
        key: &TokenKey,
        wanted: &[TokenKey],
        known: &mut Known,
    ) -> Result<Option<NewKey>> {
        // A key that was asked for by its label may share its id with a key that has another label.
        let of_id = (!self.all && !key.id.0.is_empty()).then(|| token.list(Some(&key.id.0), None));
        let candidate = Candidate::of(&self.custodian, key, of_id.transpose()?.as_deref().unwrap_or(wanted))?;
        let (name, public_key) = (candidate.location.to_string(), &candidate.public_key);
        if !known.adds(&format!("'{name}'"), public_key, |other| public_key.shares_prime_with(other))? {
            return Ok(None);
        }
        candidate.try_schemes(token)?;
        candidate.warnings.iter().for_each(|warning| log::warn!("'{name}': {warning}"));
        self.row(public_key, name).map(Some)
    }

    fn row(&self, public_key: &PublicKey, location: String) -> Result<NewKey> {
        let material = KeyMaterial::Elsewhere { custody: self.custodian.clone(), location };
        Ok(NewKey { limits: self.limits.of_new_key()?, ..row(public_key, material) })
    }
}

/// What messages call a key of a token.
fn name(key: &TokenKey) -> String {
    key.location().map_or_else(|_| "a key without id and label".to_owned(), |location| location.to_string())
}

fn not_added(name: &str, error: anyhow::Error) -> anyhow::Error {
    let sentence = format!("'{name}' was not added, and neither was any other key: {error}");
    error.context(sentence)
}
