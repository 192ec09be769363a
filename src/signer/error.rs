//! Errors of keys and signatures. No variant holds private material.

use std::{borrow::Cow, path::Path, process::ExitStatus, time::Duration};

use super::{KeyFlaw, MasterKeyId};
use crate::domain::{Fingerprint, Scheme};

/// An error of a signer, a key or the master key: what happened, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SignerError {
    /// The requested key size is not supported by the generator.
    #[error("cannot generate a key of {bits} bits: choose 2048, 3072, 4096 or 8192")]
    GenerateSize {
        /// The size that was asked for.
        bits: u32,
    },
    /// The library could not generate a key.
    #[error("the key could not be generated: try again")]
    Generate,

    /// The key parses, but must not be used.
    #[error("this key is refused: {0}")]
    Refused(#[from] KeyFlaw),
    /// Bytes that are not a public key.
    #[error("this is not the DER SubjectPublicKeyInfo of an RSA key: {0}")]
    MalformedPublicKey(&'static str),

    /// Bytes that are not a certificate.
    #[error("this is not an X.509 certificate: {0}")]
    MalformedCertificate(&'static str),

    /// The input is larger than any key.
    #[error("the input has more than {limit} bytes, more than any key: give a file with one private key")]
    InputTooLarge {
        /// The most that is read.
        limit: usize,
    },
    /// Neither PEM nor DER of a private key.
    #[error(
        "this is not an RSA private key: {0}; give PKCS#1 or PKCS#8, in PEM or DER ('openssl pkcs8 -topk8' writes PKCS#8)"
    )]
    NotPrivateKey(&'static str),
    /// A key in a known form that is not supported.
    #[error("this is {form}: convert it with '{convert}', and import the result")]
    Foreign {
        /// What it is.
        form: &'static str,
        /// A command. `FILE` stands for the file.
        convert: &'static str,
    },
    /// Several keys, where one is expected.
    #[error("this has {count} private keys: write each to a separate file{}", with(.split))]
    SeveralKeys {
        /// How many.
        count: usize,
        /// A command that takes them apart. `FILE` stands for the file.
        split: Option<&'static str>,
    },
    /// Something public was given where a private key is needed.
    #[error("this is a {0}, which cannot sign: give the private key")]
    OnlyPublic(&'static str),
    /// A private key, but not for RSA.
    #[error("unsupported kind of key ({0}): give an RSA key")]
    NotRsa(&'static str),
    /// An encrypted key came without a passphrase.
    #[error(
        "the key is encrypted: give its passphrase with --passphrase-file FILE or in SIGNWAVE_PASSPHRASE"
    )]
    PassphraseNeeded,
    /// The passphrase does not open the key.
    #[error("the passphrase does not open the key: give the right one")]
    WrongPassphrase,
    /// PEM encryption from before PKCS#8 (RFC 1421 headers).
    #[error(
        "the key is encrypted in the traditional PEM form, whose key derivation is weak: convert it with 'openssl pkcs8 -topk8 -in FILE -out converted.pem'"
    )]
    TraditionalEncryption,
    /// The encryption of the key is not supported.
    #[error("the encryption of the key is not supported ({how}): convert it with '{convert}'")]
    UnsupportedEncryption {
        /// The algorithms.
        how: &'static str,
        /// A command. `FILE` stands for the file.
        convert: &'static str,
    },
    /// The key derivation is so expensive that opening the file would hang.
    #[error(
        "the key derivation of the encrypted key is too expensive ({0}): convert it with 'openssl pkcs8 -topk8 -in FILE -out converted.pem'"
    )]
    CostTooHigh(&'static str),

    /// The master key is not 32 bytes of base64.
    #[error("the master key is not 32 bytes in base64: {0} ('signwave keys init-master FILE' makes one)")]
    MalformedMasterKey(&'static str),
    /// The master key's file could not be read or made.
    #[error("the master key file {path} could not be {action}: {reason}")]
    MasterKeyFile {
        /// The file.
        path: String,
        /// `read` or `created`.
        action: &'static str,
        /// What the operating system said.
        reason: String,
    },
    /// The master key file exists already.
    #[error(
        "the master key file {path} exists, and is never overwritten, because every sealed key depends on it: name another file"
    )]
    MasterKeyExists {
        /// The file.
        path: String,
    },
    /// Users other than its owner may read the master key file.
    #[error("the master key file {path} is open to others (mode {mode:04o}): run 'chmod 600 {path}'")]
    MasterKeyExposed {
        /// The file.
        path: String,
        /// Its permission bits.
        mode: u32,
    },

    /// Other users may read the master key file, and this process cannot change its mode.
    #[error(
        "the master key file {path} is open to others (mode {mode:04o}), and this process cannot change that: set mode 0440 or 0400 where the file comes from (Kubernetes: defaultMode: 0440, and fsGroup), or give the key in SIGNWAVE_MASTER_KEY"
    )]
    MasterKeyMountedOpen {
        /// The file.
        path: String,
        /// Its permission bits.
        mode: u32,
    },
    /// The master key command could not be run.
    #[error("the master key command '{program}' could not be run: {reason}; check its name and permissions")]
    MasterKeyCommandRun {
        /// The program.
        program: String,
        /// What the operating system said.
        reason: String,
    },
    /// The master key command failed.
    #[error(
        "the master key command '{program}' failed ({status}): see what it wrote to standard error, or run it by hand"
    )]
    MasterKeyCommandFailed {
        /// The program.
        program: String,
        /// How it ended.
        status: ExitStatus,
    },
    /// The master key command took too long.
    #[error(
        "the master key command '{program}' was killed because it took more than {} s: run it by hand; it must not ask questions",
        .limit.as_secs()
    )]
    MasterKeyCommandTime {
        /// The program.
        program: String,
        /// How long it may take.
        limit: Duration,
    },
    /// The master key command printed something else.
    #[error("the master key command '{program}' did not print 32 bytes in base64: {reason}")]
    MasterKeyCommandOutput {
        /// The program.
        program: String,
        /// What is wrong. Nothing of the output is in it.
        reason: &'static str,
    },
    /// The path of the master key file names a directory.
    #[error(
        "the master key file {path} is a directory: name a file in it (Docker makes a directory in the place of a mounted file that is missing)"
    )]
    MasterKeyFolder {
        /// The directory.
        path: String,
    },

    /// A key could not be sealed.
    #[error("key {0} could not be sealed: the random generator or the cipher failed, try again")]
    Seal(Fingerprint),
    /// A key is sealed under a master key that was not given.
    #[error(
        "key {fingerprint} is sealed under another master key (id {sealed_under}) than the given ({}): give the one that sealed it",
        ids(.given)
    )]
    WrongMasterKey {
        /// The key.
        fingerprint: Fingerprint,
        /// The master key that sealed it.
        sealed_under: MasterKeyId,
        /// The master keys that were given.
        given: Vec<MasterKeyId>,
    },
    /// A sealed key does not open with the master key that sealed it.
    #[error("the sealed key {0} is damaged, or belongs to another key: restore it from a backup")]
    Damaged(Fingerprint),
    /// A sealed key of a form that this program does not know.
    #[error(
        "the sealed key {fingerprint} has an unknown form ({reason}): use a newer signwave, or restore the key from a backup"
    )]
    SealedForm {
        /// The key.
        fingerprint: Fingerprint,
        /// Why the form is unknown.
        reason: &'static str,
    },
    /// The stored parts of a key do not belong together.
    #[error("the stored {part} of key {fingerprint} belongs to another key: restore the key from a backup")]
    Mismatch {
        /// The key's fingerprint as stored.
        fingerprint: Fingerprint,
        /// The part that does not belong to the key.
        part: &'static str,
    },
    /// A sealed key was added after a start without a master key.
    #[error(
        "key {0} is sealed, and no master key was given: name its file with --master-key-file (or give --master-key-command), restart, and enable the key"
    )]
    NoMasterKey(Fingerprint),
    /// The secret of a webhook cannot be sealed or opened.
    #[error("the secret of webhook '{webhook}' {problem}")]
    WebhookSecret {
        /// The name of the webhook.
        webhook: String,
        /// What is wrong, and what to do.
        problem: String,
    },
    /// The key that signs the ledger's heads cannot be sealed, opened or used.
    #[error("the ledger's key {0}")]
    LedgerKey(String),
    /// A key file, or the file of its passphrase, cannot be read.
    #[error("the file {path} cannot be read: {reason}")]
    KeyFile {
        /// The file or the directory.
        path: String,
        /// Why not.
        reason: String,
    },
    /// Users other than its owner may read a key file, or the file of its passphrase.
    #[error(
        "the file {path} is open to others (mode {mode:04o}): run 'chmod 600 {path}', or set mode 0440 or 0400 where the file comes from (Kubernetes: defaultMode: 0440, and fsGroup)"
    )]
    KeyFileExposed {
        /// The file.
        path: String,
        /// Its permission bits.
        mode: u32,
    },
    /// A name that no key file can have.
    #[error("'{}' is not the name of a file in the custodian's directory: give a name without '/', which does not begin with '.'", .0.escape_debug())]
    KeyFileName(String),
    /// A key file was read, but its key is not usable.
    #[error("{path}: {reason}")]
    KeyInFile {
        /// The file.
        path: String,
        /// Why not, and what to do.
        reason: String,
    },
    /// A custodian does not answer, so that none of its keys can be used now. No key is to blame.
    #[error("the custodian '{custodian}' is down: {reason}")]
    CustodianDown {
        /// Its name.
        custodian: String,
        /// Why.
        reason: String,
    },
    /// A key of a token that answers cannot be used.
    #[error("the key cannot be used in the custodian '{custodian}': {reason}")]
    KeyInToken {
        /// The name of the custodian.
        custodian: String,
        /// Why not, and what to do.
        reason: String,
    },
    /// The settings do not name the custodian of a key.
    #[error(
        "key {fingerprint} is in the custody of '{custody}', which this process does not know: add a section [custody.{custody}] to its settings file, or disable the key"
    )]
    UnknownCustody {
        /// The key.
        fingerprint: Fingerprint,
        /// The name of the custodian.
        custody: String,
    },

    /// The engine does not accept a key.
    #[error("the {engine} engine does not accept key {fingerprint}: use another engine, or retire the key")]
    Engine {
        /// The engine's name.
        engine: &'static str,
        /// The key.
        fingerprint: Fingerprint,
    },
    /// A digest whose length is not that of the scheme.
    #[error("a digest for {0} was made with another hash function: this is a bug, please report it")]
    WrongDigest(Scheme),
    /// The key is restricted to other schemes.
    #[error(
        "key {fingerprint} may sign with {allowed} only, not with {scheme}: choose an allowed scheme, or disable the key"
    )]
    SchemeForbidden {
        /// The key.
        fingerprint: Fingerprint,
        /// The scheme that was requested.
        scheme: Scheme,
        /// The schemes that it may sign with.
        allowed: &'static str,
    },
    /// The signature buffer was created for keys of another size.
    #[error(
        "key {0} makes signatures of another length than the buffer expects: this is a bug, please report it"
    )]
    WrongWidth(Fingerprint),
    /// The engine does not compute what it must on this machine.
    #[error(
        "the lanes engine computed a wrong answer for a known RSA-{bits} key: this machine computes wrongly; check its processor and memory before anything is signed on it"
    )]
    SelfTest {
        /// The size of the known key.
        bits: usize,
    },
    /// A result of the lanes engine was wrong. All results of its group were discarded.
    #[error(
        "a signature made with key {0} was wrong and was discarded: this machine computed wrongly, or the key is damaged; check the machine's processor and memory, and verify with 'signwave verify' what was signed on it"
    )]
    Fault(Fingerprint),
    /// The library refused to sign, or its result did not verify.
    #[error(
        "signing with key {0} failed: if this happens again, check the machine's memory and disable the key"
    )]
    Sign(Fingerprint),
}

impl SignerError {
    /// The message for a key in `file`. The commands in the message can be run as is.
    pub fn about(&self, file: &Path) -> String {
        match self {
            Self::PassphraseNeeded => self.to_string(), // its FILE is the passphrase file
            _ => self.to_string().replace("FILE", &in_a_shell(file)),
        }
    }
}

/// The name of a file, quoted for a shell.
fn in_a_shell(file: &Path) -> String {
    let name = file.to_string_lossy();
    let name = if name.starts_with('-') { Cow::from(format!("./{name}")) } else { name };
    if name.chars().all(|c| c.is_ascii_alphanumeric() || "/._-+,:@=".contains(c)) {
        name.into_owned()
    } else {
        format!("'{}'", name.replace('\'', r"'\''"))
    }
}

fn ids(master_keys: &[MasterKeyId]) -> String {
    let ids: Vec<_> = master_keys.iter().map(|id| format!("id {id}")).collect();
    ids.join(", ")
}

fn with(command: &Option<&str>) -> String {
    command.map(|command| format!(", with '{command}'")).unwrap_or_default()
}
