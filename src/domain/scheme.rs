//! Signature schemes by their JOSE names (RFC 7518, section 3.1).

use std::{fmt, str::FromStr};

use super::DigestAlgorithm;

/// How a record is signed. `PS*` is RSASSA-PSS with MGF1 over the same hash and a salt of the
/// digest's length (RFC 7518, section 3.5); `RS*` is RSASSA-PKCS1-v1_5 (RFC 8017, section 8.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// RSASSA-PSS with SHA-256, the default.
    #[default]
    Ps256,
    /// RSASSA-PSS with SHA-384.
    Ps384,
    /// RSASSA-PSS with SHA-512.
    Ps512,
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
    /// RSASSA-PKCS1-v1_5 with SHA-384.
    Rs384,
    /// RSASSA-PKCS1-v1_5 with SHA-512.
    Rs512,
}

/// A name that is none of the six schemes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown signature scheme '{0}': use PS256, PS384, PS512, RS256, RS384 or RS512")]
pub struct UnknownScheme(pub String);

impl Scheme {
    /// Every scheme.
    pub const ALL: [Self; 6] = [Self::Ps256, Self::Ps384, Self::Ps512, Self::Rs256, Self::Rs384, Self::Rs512];

    /// The JOSE name, such as `PS256`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ps256 => "PS256",
            Self::Ps384 => "PS384",
            Self::Ps512 => "PS512",
            Self::Rs256 => "RS256",
            Self::Rs384 => "RS384",
            Self::Rs512 => "RS512",
        }
    }

    /// The hash of the payload, and for PSS of MGF1 too.
    pub const fn digest(self) -> DigestAlgorithm {
        match self {
            Self::Ps256 | Self::Rs256 => DigestAlgorithm::Sha256,
            Self::Ps384 | Self::Rs384 => DigestAlgorithm::Sha384,
            Self::Ps512 | Self::Rs512 => DigestAlgorithm::Sha512,
        }
    }

    /// Whether the padding is PSS, so that signing twice gives two different signatures.
    pub const fn is_pss(self) -> bool {
        matches!(self, Self::Ps256 | Self::Ps384 | Self::Ps512)
    }
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Scheme {
    type Err = UnknownScheme;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|scheme| scheme.name().eq_ignore_ascii_case(text))
            .ok_or_else(|| UnknownScheme(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scheme_is_read_back_from_its_name() {
        for scheme in Scheme::ALL {
            assert_eq!(scheme.name().parse(), Ok(scheme));
            assert_eq!(scheme.name().to_lowercase().parse(), Ok(scheme));
        }
        assert!("ES256".parse::<Scheme>().is_err());
    }
}
