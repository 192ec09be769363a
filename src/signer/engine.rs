//! The engines that can sign and verify.

use std::{fmt, str::FromStr};

use super::{PrivateKey, PublicKey, Signer, SignerError, Verifier, aws_lc, lanes, rustcrypto};

/// What signs and verifies. Each engine verifies the signatures of the others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Engine {
    /// aws-lc: constant time, and several times as fast.
    #[default]
    AwsLc,
    /// Our own arithmetic, in the crate `signwave-lanes`: eight digests of one key at once, with AVX-512 IFMA. aws-lc is
    /// used where the processor, the key or the number of digests does not fit.
    Lanes,
    /// The `rsa` crate of RustCrypto: pure Rust, but its arithmetic is not constant time
    /// (RUSTSEC-2023-0071; blinding hides the input, not the timing), so it is not the default.
    Rsa,
}

/// A name that no engine has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown engine '{0}': use aws-lc, lanes or rsa")]
pub struct UnknownEngine(pub String);

impl Engine {
    /// Every engine.
    pub const ALL: [Self; 3] = [Self::AwsLc, Self::Lanes, Self::Rsa];

    /// The name in settings.
    pub const fn name(self) -> &'static str {
        match self {
            Self::AwsLc => "aws-lc",
            Self::Lanes => "lanes",
            Self::Rsa => "rsa",
        }
    }

    /// Whether this processor has the instructions that the engine needs. Where it does not, aws-lc stands in for
    /// [`Lanes`](Self::Lanes).
    pub fn is_supported(self) -> bool {
        match self {
            Self::AwsLc | Self::Rsa => true,
            Self::Lanes => lanes::is_supported(),
        }
    }

    /// Tests the engine on this machine with known answers, unless its library does so. Commands call this when they start;
    /// later calls in the same process cost nothing.
    ///
    /// # Errors
    /// When an answer is wrong.
    pub fn prepare(self) -> Result<(), SignerError> {
        match self {
            Self::AwsLc | Self::Rsa => Ok(()),
            Self::Lanes => lanes::ready().map(drop),
        }
    }

    /// Opens a key for signing. This takes a tenth of a millisecond or more, so callers should do it once per key.
    ///
    /// # Errors
    /// When the engine finds the key inconsistent, or fails its test on this machine.
    pub fn signer(self, key: &PrivateKey) -> Result<Box<dyn Signer>, SignerError> {
        let signer: Option<Box<dyn Signer>> = match self {
            Self::AwsLc => aws_lc::AwsLcSigner::new(key).map(|signer| Box::new(signer) as _),
            Self::Lanes => return Ok(Box::new(lanes::LanesSigner::new(key)?)),
            Self::Rsa => rustcrypto::RsaSigner::new(key).map(|signer| Box::new(signer) as _),
        };
        signer.ok_or_else(|| self.refuses(key.public_key()))
    }

    /// Opens a key for verifying.
    ///
    /// # Errors
    /// When the engine does not accept the key, or fails its test on this machine.
    pub fn verifier(self, key: &PublicKey) -> Result<Box<dyn Verifier>, SignerError> {
        let verifier: Option<Box<dyn Verifier>> = match self {
            Self::AwsLc => aws_lc::AwsLcVerifier::new(key).map(|verifier| Box::new(verifier) as _),
            Self::Lanes => return Ok(Box::new(lanes::LanesVerifier::new(key)?)),
            Self::Rsa => rustcrypto::RsaVerifier::new(key).map(|verifier| Box::new(verifier) as _),
        };
        verifier.ok_or_else(|| self.refuses(key))
    }

    fn refuses(self, key: &PublicKey) -> SignerError {
        SignerError::Engine { engine: self.name(), fingerprint: key.fingerprint() }
    }
}

impl fmt::Display for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Engine {
    type Err = UnknownEngine;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|engine| engine.name() == text)
            .ok_or_else(|| UnknownEngine(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use num_bigint_dig::{BigUint, ModInverse, RandPrime};
    use rsa::{
        pkcs1::{self, UintRef, der::Encode},
        rand_core::OsRng,
    };

    use super::*;
    use crate::{
        domain::{Scheme, SignatureBuf},
        signer::digest,
    };

    #[test]
    fn every_engine_is_read_back_from_its_name() {
        for engine in Engine::ALL {
            assert_eq!(engine.to_string().parse(), Ok(engine));
        }
        assert_eq!("noop".parse::<Engine>(), Err(UnknownEngine("noop".to_owned())));
    }

    /// A key whose p is the product of two primes: its numbers are consistent, but the CRT gives wrong results.
    fn with_a_composite_factor() -> (PrivateKey, BigUint, BigUint) {
        let (e, one) = (BigUint::from(65537_u32), BigUint::from(1_u8));
        let inverse = |number: &BigUint, modulus: &BigUint| number.mod_inverse(modulus)?.to_biguint();
        loop {
            let (p, q): (BigUint, BigUint) =
                (OsRng.gen_prime(512) * OsRng.gen_prime(512), OsRng.gen_prime(1024));
            let (p_minus_1, q_minus_1) = (&p - &one, &q - &one);
            let n = &p * &q;
            let Some(d) = inverse(&e, &(&p_minus_1 * &q_minus_1)).filter(|_| n.bits() == 2048) else {
                continue;
            };
            let (dp, dq, qinv) = (&d % &p_minus_1, &d % &q_minus_1, inverse(&q, &p).unwrap());
            let numbers = [&n, &e, &d, &p, &q, &dp, &dq, &qinv].map(BigUint::to_bytes_be);
            let [n, e, d, prime1, prime2, dp, dq, qinv] =
                numbers.each_ref().map(|bytes| UintRef::new(bytes).unwrap());
            let key = pkcs1::RsaPrivateKey {
                modulus: n,
                public_exponent: e,
                private_exponent: d,
                prime1,
                prime2,
                exponent1: dp,
                exponent2: dq,
                coefficient: qinv,
                other_prime_infos: None,
            };
            let key = PrivateKey::from_pkcs1(&key.to_der().unwrap()).unwrap();
            return (key, p, p_minus_1);
        }
    }

    #[test]
    fn an_engine_finds_that_its_own_result_is_wrong() {
        let (key, p, p_minus_1) = with_a_composite_factor();
        let (d, e) = (key.components().d.clone(), BigUint::from(65537_u32));
        let two = BigUint::from(2_u8);
        assert_ne!(
            two.modpow(&(d % p_minus_1), &p).modpow(&e, &p),
            two,
            "without the check it would be wrong"
        );
        for (engine, scheme) in Engine::ALL.into_iter().flat_map(|engine| Scheme::ALL.map(|s| (engine, s))) {
            let mut signer = engine.signer(&key).expect("the libraries do not test primality");
            assert!(signer.checks_itself());
            // Eight digests, so that the engine `lanes` does not leave them to aws-lc.
            let digests = [digest(scheme.digest(), b"payload"); 8];
            let mut out = SignatureBuf::with_capacity(256, 8);
            let fingerprint = key.public_key().fingerprint();
            let failed = match engine {
                Engine::Lanes if engine.is_supported() => SignerError::Fault(fingerprint),
                _ => SignerError::Sign(fingerprint),
            };
            assert_eq!(signer.sign(scheme, &digests, &mut out), Err(failed), "{engine} {scheme}");
            assert!(out.is_empty(), "nothing wrong was handed out");
        }
    }
}
