//! The two libraries that can sign and verify.

use std::{fmt, str::FromStr};

use super::{PrivateKey, PublicKey, Signer, SignerError, Verifier, aws_lc, rustcrypto};

/// Which library does the work. Either verifies what the other signed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Engine {
    /// aws-lc: constant time, and several times as fast.
    #[default]
    AwsLc,
    /// The `rsa` crate of RustCrypto: pure Rust, but its arithmetic is not constant time
    /// (RUSTSEC-2023-0071; blinding hides the input, not the timing), so it is not the default.
    Rsa,
}

/// A name that is neither of the two engines.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown engine '{0}': use aws-lc or rsa")]
pub struct UnknownEngine(pub String);

impl Engine {
    /// Every engine.
    pub const ALL: [Self; 2] = [Self::AwsLc, Self::Rsa];

    /// The name in settings, `aws-lc` or `rsa`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::AwsLc => "aws-lc",
            Self::Rsa => "rsa",
        }
    }

    /// Opens a key for signing; slow (a tenth of a millisecond and more), so do it once per key.
    ///
    /// # Errors
    /// When the library finds the key inconsistent.
    pub fn signer(self, key: &PrivateKey) -> Result<Box<dyn Signer>, SignerError> {
        let signer: Option<Box<dyn Signer>> = match self {
            Self::AwsLc => aws_lc::AwsLcSigner::new(key).map(|signer| Box::new(signer) as _),
            Self::Rsa => rustcrypto::RsaSigner::new(key).map(|signer| Box::new(signer) as _),
        };
        signer.ok_or_else(|| self.refuses(key.public_key()))
    }

    /// Opens a key for verifying.
    ///
    /// # Errors
    /// When the library does not take the key.
    pub fn verifier(self, key: &PublicKey) -> Result<Box<dyn Verifier>, SignerError> {
        let verifier: Option<Box<dyn Verifier>> = match self {
            Self::AwsLc => aws_lc::AwsLcVerifier::new(key).map(|verifier| Box::new(verifier) as _),
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
    use super::*;

    #[test]
    fn every_engine_is_read_back_from_its_name() {
        for engine in Engine::ALL {
            assert_eq!(engine.to_string().parse(), Ok(engine));
        }
        assert_eq!("noop".parse::<Engine>(), Err(UnknownEngine("noop".to_owned())));
    }
}
