//! What can go wrong with keys and signatures. No variant ever holds private material.

use crate::domain::{Fingerprint, Scheme};

/// An error of a signer, a key or the master key: what happened, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SignerError {
    /// A key was asked for in a size that is not generated.
    #[error("keys of {bits} bits are not generated: choose 2048, 3072, 4096 or 8192")]
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

    /// The input is larger than any key.
    #[error("the input has more than {limit} bytes, which no key has: give a file with one private key")]
    InputTooLarge {
        /// The most that is read.
        limit: usize,
    },
    /// Neither PEM nor DER of a private key.
    #[error(
        "this is not an RSA private key: {0}; give PKCS#1 or PKCS#8, in PEM or DER (openssl pkcs8 -topk8 writes it)"
    )]
    NotPrivateKey(&'static str),
    /// A key in a form that is known and not read.
    #[error("this is {form}: convert it with '{convert}', and give what comes out")]
    Foreign {
        /// What it is.
        form: &'static str,
        /// A command. `FILE` stands for the file.
        convert: &'static str,
    },
    /// Nobody said which of several keys is meant.
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
    #[error("this is a key of another kind ({0}): give an RSA key")]
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
    /// An encryption that is not read.
    #[error("the key is encrypted in a way that is not read ({how}): convert it with '{convert}'")]
    UnsupportedEncryption {
        /// The algorithms.
        how: &'static str,
        /// A command. `FILE` stands for the file.
        convert: &'static str,
    },
    /// The file asks for so much work that opening it would hang.
    #[error(
        "the key's encryption asks for too much work ({0}): convert it with 'openssl pkcs8 -topk8 -in FILE -out converted.pem'"
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
    /// A master key is there already.
    #[error("the master key file {path} exists, and is never overwritten: every sealed key depends on it")]
    MasterKeyExists {
        /// The file.
        path: String,
    },
    /// Others than its owner may read the master key.
    #[error("the master key file {path} is open to others (mode {mode:04o}): run 'chmod 600 {path}'")]
    MasterKeyExposed {
        /// The file.
        path: String,
        /// Its permission bits.
        mode: u32,
    },

    /// Others may read the master key, and this process cannot change that.
    #[error(
        "the master key file {path} is open to others (mode {mode:04o}), and this process cannot change that: set mode 0440 or 0400 where the file comes from (Kubernetes: defaultMode: 0440, and fsGroup), or give the key in SIGNWAVE_MASTER_KEY"
    )]
    MasterKeyMountedOpen {
        /// The file.
        path: String,
        /// Its permission bits.
        mode: u32,
    },
    /// A folder where the master key's file should be.
    #[error(
        "the master key file {path} is a directory: name a file in it (Docker makes a directory in the place of a mounted file that is missing)"
    )]
    MasterKeyFolder {
        /// The folder.
        path: String,
    },

    /// A key could not be sealed.
    #[error("key {0} could not be sealed: the random generator or the cipher failed, try again")]
    Seal(Fingerprint),
    /// A sealed key does not open. The cipher cannot tell why.
    #[error(
        "key {0} does not open with this master key: give the one that sealed it; if this is the one, the stored key is damaged and must be restored from a backup"
    )]
    WrongMasterKey(Fingerprint),
    /// A sealed key of a form that this program does not know.
    #[error(
        "the sealed key {fingerprint} is not of a form known here ({reason}): use a newer signwave, or restore it"
    )]
    SealedForm {
        /// The key.
        fingerprint: Fingerprint,
        /// What is odd about it.
        reason: &'static str,
    },
    /// The stored parts of a key are not of one key.
    #[error("the stored {part} of key {fingerprint} belongs to another key: restore it from a backup")]
    Mismatch {
        /// The key, as it is named.
        fingerprint: Fingerprint,
        /// The part that does not fit.
        part: &'static str,
    },
    /// A sealed key was added after a start without a master key.
    #[error(
        "key {0} is sealed, and no master key was given: name it with --master-key-file, start again and enable the key"
    )]
    NoMasterKey(Fingerprint),
    /// The private half of a key is kept where this program cannot use it.
    #[error(
        "key {fingerprint} is in the custody of '{custody}', which this signwave does not know: use one that does, or disable the key"
    )]
    UnknownCustody {
        /// The key.
        fingerprint: Fingerprint,
        /// The name of the custodian.
        custody: String,
    },

    /// The library does not take a key.
    #[error("the {engine} engine does not accept key {fingerprint}: use the other engine, or retire the key")]
    Engine {
        /// The engine's name.
        engine: &'static str,
        /// The key.
        fingerprint: Fingerprint,
    },
    /// A digest of another length than the scheme's.
    #[error("a digest for {0} was made with another hash function: this is a defect, please report it")]
    WrongDigest(Scheme),
    /// The key is restricted to other schemes.
    #[error(
        "key {fingerprint} may sign {allowed} only, and not {scheme}: use such a scheme, or disable the key"
    )]
    SchemeForbidden {
        /// The key.
        fingerprint: Fingerprint,
        /// What it was to sign with.
        scheme: Scheme,
        /// What it may sign with.
        allowed: &'static str,
    },
    /// The buffer for signatures was made for keys of another size.
    #[error(
        "key {0} makes signatures of another length than the buffer's: this is a defect, please report it"
    )]
    WrongWidth(Fingerprint),
    /// The library refused to sign, or its result did not verify.
    #[error(
        "signing with key {0} failed: if it happens again, check the machine's memory and disable the key"
    )]
    Sign(Fingerprint),
}

impl SignerError {
    /// The sentence about a key in a file that a shell knows by the name `file`: the commands in it can be run.
    pub fn about(&self, file: &str) -> String {
        match self {
            Self::PassphraseNeeded => self.to_string(), // another file is meant
            _ => self.to_string().replace("FILE", file),
        }
    }
}

fn with(command: &Option<&str>) -> String {
    command.map(|command| format!(", with '{command}'")).unwrap_or_default()
}

/// Why a key that parses must not be used (FIPS 186-5, appendix A.1; RFC 8017, section 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyFlaw {
    /// Outside 2048 to 8192 bits.
    #[error("it has {bits} bits, and must have 2048 to 8192")]
    Size {
        /// Length of the modulus.
        bits: u32,
    },
    /// The modulus is even.
    #[error("its modulus is even")]
    EvenModulus,
    /// The public exponent is even.
    #[error("its public exponent is even")]
    EvenExponent,
    /// The public exponent is below 65537.
    #[error("its public exponent is {exponent}, and must be at least 65537")]
    SmallExponent {
        /// The exponent.
        exponent: u64,
    },
    /// The public exponent has more than 33 bits.
    #[error("its public exponent has {bits} bits, and must have at most 33")]
    LargeExponent {
        /// Length of the exponent.
        bits: u32,
    },
    /// More than two primes.
    #[error("it has more than two primes")]
    MultiPrime,
    /// n ≠ p·q.
    #[error("its modulus is not the product of its primes")]
    Modulus,
    /// p or q is composite.
    #[error("one of its factors is not prime")]
    NotPrime,
    /// p = q.
    #[error("its two primes are the same")]
    EqualPrimes,
    /// |p − q| ≤ 2^(nlen/2 − 100).
    #[error("its two primes are so close that it can be factored")]
    ClosePrimes,
    /// A prime is much shorter than half the modulus.
    #[error("one of its primes is shorter than half the modulus")]
    UnbalancedPrimes,
    /// p or q comes from the generator of CVE-2017-15361.
    #[error("it was made by a flawed generator (ROCA, CVE-2017-15361) and can be factored")]
    Roca,
    /// d·e mod lcm(p−1, q−1) ≠ 1, or d is not below n.
    #[error("its private exponent does not belong to its public exponent")]
    PrivateExponent,
    /// d ≤ 2^(nlen/2).
    #[error("its private exponent is so small that it can be computed from the public key")]
    SmallPrivateExponent,
    /// dP, dQ or qInv is wrong.
    #[error("its CRT parameters do not belong to its primes")]
    CrtParameters,
    /// RSASSA-PSS parameters that no scheme of ours fits (RFC 4055, section 3.1).
    #[error("it is restricted to RSASSA-PSS with parameters that are neither PS256, PS384 nor PS512")]
    PssParameters,
    /// Signing and verifying with both libraries did not come out right.
    #[error("a signature made with it on trial does not verify")]
    Trial,
}
