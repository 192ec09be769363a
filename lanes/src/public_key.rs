//! Public keys, which verify eight signatures at once.

use std::fmt;

use crate::{
    LANES, Padding, Refused, Scheme,
    components::{exponent, modulus},
    emsa,
    engine::{Cpu, Public},
};

/// An RSA public key of 2048, 3072 or 4096 bits, opened for verifying.
pub struct PublicKey {
    engine: Public,
    modulus_len: usize,
}

impl PublicKey {
    /// Opens a key: the modulus and the public exponent, big-endian. This takes tens of microseconds.
    ///
    /// # Errors
    /// When the processor or the key does not fit.
    pub fn new(n: &[u8], e: &[u8]) -> Result<Self, Refused> {
        let cpu = Cpu::detect().ok_or(Refused::Processor)?;
        let (n, e) = (modulus(n)?, exponent(e)?);
        Ok(Self { engine: Public::new(cpu, n, e)?, modulus_len: n.len() })
    }

    /// Bytes of the modulus, and of each signature.
    pub fn modulus_len(&self) -> usize {
        self.modulus_len
    }

    /// Verifies eight signatures. For each it is true if the signature is the key's signature of the digest at the same place under
    /// exactly this scheme. Digests and signatures of other lengths, and signatures that are not below the modulus, are
    /// not.
    pub fn verify(
        &self,
        scheme: Scheme,
        digests: &[&[u8]; LANES],
        signatures: &[&[u8]; LANES],
    ) -> [bool; LANES] {
        let len = self.modulus_len;
        let fits =
            |lane: usize| digests[lane].len() == scheme.hash.digest_len() && signatures[lane].len() == len;
        let mut numbers = vec![0; LANES * len];
        for (lane, number) in numbers.chunks_exact_mut(len).enumerate().filter(|(lane, _)| fits(*lane)) {
            number.copy_from_slice(signatures[lane]);
        }
        let mut encoded = vec![0; LANES * len];
        let mut valid = self.engine.exponentiate(&numbers, &mut encoded);
        let mut expected = vec![0; len];
        for (lane, encoded) in encoded.chunks_exact_mut(len).enumerate() {
            let digest = digests[lane];
            valid[lane] = valid[lane]
                && fits(lane)
                && match scheme.padding {
                    Padding::Pkcs1v15 => {
                        emsa::pkcs1v15(scheme.hash, digest, &mut expected);
                        encoded == expected
                    }
                    Padding::Pss => emsa::is_pss_of(scheme.hash, digest, encoded),
                };
        }
        valid
    }

    /// Raises eight numbers to the public exponent (RSAVP1 of RFC 8017, section 5.2.2). Both buffers have eight big-endian
    /// numbers one after the other, each as long as the modulus. Returns which of the numbers were below the modulus, as they must
    /// be. Other results mean nothing.
    ///
    /// # Panics
    /// When a buffer does not have eight times the modulus' length.
    pub fn exponentiate(&self, numbers: &[u8], results: &mut [u8]) -> [bool; LANES] {
        let len = LANES * self.modulus_len;
        assert!(numbers.len() == len && results.len() == len, "buffers of eight numbers");
        self.engine.exponentiate(numbers, results)
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({} bits)", 8 * self.modulus_len)
    }
}
