//! Signs a group of up to eight digests in eight lanes, and has aws-lc verify a sample of the results.

use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use rsa::pkcs1::{self, der::Decode};
use signwave_lanes::{Components, RandomFailed, SignError};

use super::{
    super::{PrivateKey, SignerError, Verifier, aws_lc::AwsLcVerifier},
    LANES,
    names::in_lanes,
    ready::{if_it_fits, refused},
};
use crate::domain::{Digest, Fingerprint, Scheme};

/// A key that signs in eight lanes.
pub(super) struct GroupSigner {
    fingerprint: Fingerprint,
    key: signwave_lanes::PrivateKey,
    random: SystemRandom,
    /// Verifies a sample of each group. It shares no code with the engine.
    verifier: AwsLcVerifier,
    /// How many signatures of a group are verified.
    sample: usize,
    /// The lane that the next sample begins with, so that all lanes have their turn.
    next: usize,
    /// The last group's signatures, one after the other.
    made: Vec<u8>,
}

/// What signs eight digests: the crate, or a test.
type Sign<'a> = &'a dyn Fn(&GroupSigner, Scheme, &[&[u8]; LANES], &mut [u8]) -> Result<(), SignError>;

impl GroupSigner {
    /// `None` if the size of the key or of its primes does not fit.
    pub(super) fn new(key: &PrivateKey) -> Result<Option<Self>, SignerError> {
        let public_key = key.public_key();
        let numbers = pkcs1::RsaPrivateKey::from_der(key.pkcs1()).expect("it was parsed when it was made");
        let opened = signwave_lanes::PrivateKey::new(&Components {
            n: numbers.modulus.as_bytes(),
            e: numbers.public_exponent.as_bytes(),
            p: numbers.prime1.as_bytes(),
            q: numbers.prime2.as_bytes(),
            dp: numbers.exponent1.as_bytes(),
            dq: numbers.exponent2.as_bytes(),
            qinv: numbers.coefficient.as_bytes(),
        });
        let Some(key) = if_it_fits(opened, public_key.fingerprint())? else { return Ok(None) };
        Ok(Some(Self {
            fingerprint: public_key.fingerprint(),
            random: SystemRandom::new(),
            verifier: AwsLcVerifier::new(public_key).ok_or_else(|| refused(public_key.fingerprint()))?,
            sample: sample(key.modulus_len()),
            next: 0,
            made: vec![0; LANES * key.modulus_len()],
            key,
        }))
    }

    /// Signs one to eight digests, which must be those of the scheme. The idle lanes sign some of them again. Returns the
    /// signatures in the order of the digests.
    ///
    /// # Errors
    /// [`Fault`](SignerError::Fault) when a result is wrong. No result is returned then.
    pub(super) fn sign(
        &mut self,
        scheme: Scheme,
        digests: &[Digest],
    ) -> Result<impl Iterator<Item = &[u8]>, SignerError> {
        self.sign_by(scheme, digests, &Self::sign_in_lanes)
    }

    pub(super) fn sign_by(
        &mut self,
        scheme: Scheme,
        digests: &[Digest],
        sign: Sign<'_>,
    ) -> Result<impl Iterator<Item = &[u8]>, SignerError> {
        let lanes: [&[u8]; LANES] = std::array::from_fn(|lane| digests[lane % digests.len()].as_bytes());
        let mut made = std::mem::take(&mut self.made);
        let signed = sign(self, scheme, &lanes, &mut made);
        self.made = made;
        signed.map_err(|error| match error {
            SignError::Fault => SignerError::Fault(self.fingerprint),
            _ => SignerError::Sign(self.fingerprint),
        })?;
        self.verify_sample(scheme, digests)?;
        Ok(self.made.chunks_exact(self.key.modulus_len()).take(digests.len()))
    }

    /// Signs eight digests with random numbers of aws-lc. The crate checks every result with the public exponent.
    pub(super) fn sign_in_lanes(
        &self,
        scheme: Scheme,
        digests: &[&[u8]; LANES],
        made: &mut [u8],
    ) -> Result<(), SignError> {
        let mut random = |bytes: &mut [u8]| self.random.fill(bytes).map_err(|_| RandomFailed);
        self.key.sign(in_lanes(scheme), digests, &mut random, made)
    }

    /// Has aws-lc verify a few signatures of the group.
    fn verify_sample(&mut self, scheme: Scheme, digests: &[Digest]) -> Result<(), SignerError> {
        let (width, first) = (self.key.modulus_len(), self.next);
        self.next = (first + self.sample) % LANES;
        for lane in (first..first + self.sample).map(|lane| lane % digests.len()) {
            let signature = &self.made[lane * width..][..width];
            if !self.verifier.verify(scheme, &digests[lane], signature) {
                return Err(SignerError::Fault(self.fingerprint));
            }
        }
        Ok(())
    }
}

/// How many signatures of a group aws-lc verifies: as many as cost at most 3 % of the time of the group. One costs
/// 2.2 % with 2048 bits, and about 1 % with more.
fn sample(modulus_len: usize) -> usize {
    if modulus_len <= 256 { 1 } else { 2 }
}

#[cfg(test)]
impl GroupSigner {
    pub(super) fn modulus_len(&self) -> usize {
        self.key.modulus_len()
    }

    pub(super) fn sample(&self) -> usize {
        self.sample
    }

    pub(super) fn next(&self) -> usize {
        self.next
    }
}
