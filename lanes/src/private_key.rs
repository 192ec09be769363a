//! Private keys, which sign eight digests at once.

use std::fmt;

use crate::{
    Components, LANES, Padding, RandomFailed, Refused, Scheme, SignError,
    components::Checked,
    emsa,
    engine::{Cpu, Private},
    scheme::MAX_DIGEST,
};

/// An RSA private key of 2048, 3072 or 4096 bits, opened for signing. It is wiped when dropped.
pub struct PrivateKey {
    engine: Private,
    modulus_len: usize,
}

impl PrivateKey {
    /// Opens a key. This takes tens of microseconds.
    ///
    /// The numbers should belong to a valid key, because only their lengths and n = p·q are checked. An inconsistent key
    /// gives no signatures: each signing fails with [`SignError::Fault`].
    ///
    /// # Errors
    /// When the processor or the key does not fit.
    pub fn new(components: &Components<'_>) -> Result<Self, Refused> {
        let cpu = Cpu::detect().ok_or(Refused::Processor)?;
        let checked = Checked::new(components)?;
        let components = checked.components();
        let engine = Private::new(cpu, &components, checked.e)?;
        Ok(Self { engine, modulus_len: components.n.len() })
    }

    /// Bytes of the modulus, and of each signature.
    pub fn modulus_len(&self) -> usize {
        self.modulus_len
    }

    /// Signs eight digests. The signatures are written to `signatures` one after the other, each as long as the modulus.
    ///
    /// `random` fills a buffer with random bytes. It makes the salts of RSASSA-PSS; RSASSA-PKCS1-v1_5 needs none.
    ///
    /// # Errors
    /// When a length is wrong, when `random` fails, or when a result does not pass the check with the public exponent. `signatures`
    /// is then unchanged.
    pub fn sign(
        &self,
        scheme: Scheme,
        digests: &[&[u8]; LANES],
        random: &mut dyn FnMut(&mut [u8]) -> Result<(), RandomFailed>,
        signatures: &mut [u8],
    ) -> Result<(), SignError> {
        let hash = scheme.hash;
        if digests.iter().any(|digest| digest.len() != hash.digest_len()) {
            return Err(SignError::DigestLength);
        }
        let mut salts = [0; LANES * MAX_DIGEST];
        let salts = &mut salts[..LANES * hash.digest_len()];
        if scheme.padding == Padding::Pss {
            random(salts)?;
        }
        let mut encoded = vec![0; LANES * self.modulus_len];
        let places = encoded.chunks_exact_mut(self.modulus_len).zip(digests);
        for ((encoded, digest), salt) in places.zip(salts.chunks_exact(hash.digest_len())) {
            match scheme.padding {
                Padding::Pkcs1v15 => emsa::pkcs1v15(hash, digest, encoded),
                Padding::Pss => emsa::pss(hash, digest, salt, encoded),
            }
        }
        self.exponentiate(&encoded, signatures)
    }

    /// Raises eight numbers to the private exponent (RSASP1 of RFC 8017, section 5.2.1). Both buffers have eight big-endian
    /// numbers one after the other, each as long as the modulus.
    ///
    /// # Errors
    /// When a length is wrong, a number is not below the modulus, or a result does not pass the check with the
    /// public exponent. `results` is then unchanged.
    pub fn exponentiate(&self, numbers: &[u8], results: &mut [u8]) -> Result<(), SignError> {
        let len = LANES * self.modulus_len;
        if numbers.len() != len || results.len() != len {
            return Err(SignError::BufferLength);
        }
        self.engine.exponentiate(numbers, results)
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PrivateKey({} bits)", 8 * self.modulus_len)
    }
}
