//! The schemes of a key: the algorithm of some keys restricts them to RSASSA-PSS (RFC 4055, section 1.2).

use pkcs8::{AlgorithmIdentifierRef, ObjectIdentifier, der::asn1::AnyRef};
use rsa::pkcs1::{self, RsaPssParams};

use super::{KeyFlaw, SignerError};
use crate::domain::{DigestAlgorithm, Scheme};

/// The schemes that a key may be used with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Restriction {
    /// Any scheme: the algorithm is `rsaEncryption`.
    Free,
    /// RSASSA-PSS with any hash.
    Pss,
    /// RSASSA-PSS with this hash.
    PssWith(DigestAlgorithm),
}

impl Restriction {
    /// The restriction by an algorithm and its parameters; `None` if the algorithm does not sign with RSA.
    pub(super) fn of(algorithm: AlgorithmIdentifierRef<'_>) -> Result<Option<Self>, SignerError> {
        match algorithm.oid {
            pkcs1::ALGORITHM_OID => Ok(Some(Self::Free)),
            RSASSA_PSS => match algorithm.parameters {
                None => Ok(Some(Self::Pss)),
                Some(parameters) => of_parameters(parameters).map(Some),
            },
            _ => Ok(None),
        }
    }

    /// Whether the restriction allows `scheme`.
    pub(super) fn allows(self, scheme: Scheme) -> bool {
        match self {
            Self::Free => true,
            Self::Pss => scheme.is_pss(),
            Self::PssWith(hash) => scheme.is_pss() && scheme.digest() == hash,
        }
    }

    /// The schemes, in words.
    pub(super) fn schemes(self) -> &'static str {
        match self {
            Self::Free => "every scheme",
            Self::Pss => "PS256, PS384 and PS512",
            Self::PssWith(DigestAlgorithm::Sha256) => "PS256",
            Self::PssWith(DigestAlgorithm::Sha384) => "PS384",
            Self::PssWith(DigestAlgorithm::Sha512) => "PS512",
        }
    }
}

const RSASSA_PSS: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.10");
const MGF1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.8");
const HASHES: [(ObjectIdentifier, DigestAlgorithm); 3] = [
    (ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.1"), DigestAlgorithm::Sha256),
    (ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.2"), DigestAlgorithm::Sha384),
    (ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.3"), DigestAlgorithm::Sha512),
];

/// The hash must be a supported one, and MGF1 must use the same hash. The salt length is a minimum: our signatures
/// have a salt as long as the hash.
fn of_parameters(parameters: AnyRef<'_>) -> Result<Restriction, SignerError> {
    let malformed = |_| SignerError::NotPrivateKey("its RSASSA-PSS parameters do not parse");
    let parameters: RsaPssParams<'_> = parameters.decode_as().map_err(malformed)?;
    let hash = HASHES.iter().find(|(oid, _)| *oid == parameters.hash.oid);
    let (oid, hash) = hash.ok_or(KeyFlaw::PssParameters)?;
    let mask_hash = parameters.mask_gen.parameters.map(|algorithm| algorithm.oid);
    if parameters.mask_gen.oid != MGF1
        || mask_hash != Some(*oid)
        || usize::from(parameters.salt_len) > hash.output_len()
    {
        return Err(KeyFlaw::PssParameters.into());
    }
    Ok(Restriction::PssWith(*hash))
}
