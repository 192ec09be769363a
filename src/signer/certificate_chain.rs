//! The certificates of a key (RFC 5280): a chain that begins with the key's own, as `x5c` of RFC 7517 wants it.

use data_encoding::BASE64;
use pkcs8::der::{Decode, Encode, Reader, SliceReader};
use rustls_pki_types::SignatureVerificationAlgorithm;
use webpki::ALL_VERIFICATION_ALGS;
use x509_cert::{Certificate, spki::AlgorithmIdentifierOwned};

use super::{PublicKey, pem};
use crate::domain::Time;

/// Certificates of which each is signed with the key of the next one. The first one has a key of ours. Who trusts the
/// last one is not asked here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateChain(Vec<Link>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Link {
    der: Vec<u8>,
    parsed: Certificate,
}

/// Why certificates are no chain of a key. Numbers count from 1, the certificate of the key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChainFlaw {
    /// It is too large.
    #[error("it has more than {} bytes", CertificateChain::BYTES)]
    TooLong,
    /// It has too many.
    #[error("it has more than {} certificates", CertificateChain::CERTIFICATES)]
    TooMany,
    /// It has none.
    #[error("it has no certificate")]
    Empty,
    /// The text is not PEM of certificates.
    #[error("{0}")]
    Pem(&'static str),
    /// Another kind of PEM block is among the certificates, such as a private key.
    #[error("it has a PEM block '{0}': give a file with certificates only")]
    Block(String),
    /// One does not parse.
    #[error("certificate {0} does not parse")]
    Malformed(usize),
    /// The first one names another key.
    #[error(
        "the first certificate is of another key, which has the fingerprint {0}: the key's own must come first"
    )]
    OtherKey(String),
    /// The names do not fit.
    #[error(
        "certificate {0} was not issued by the subject of the next one: give each issuer after what it has issued"
    )]
    OtherIssuer(usize),
    /// The signature is by an algorithm that is not known, or no longer trusted, such as SHA-1.
    #[error("certificate {0} is signed with an algorithm that is not supported")]
    Algorithm(usize),
    /// The signature is wrong.
    #[error("certificate {0} is not signed with the key of the next one")]
    Signature(usize),
}

impl CertificateChain {
    /// The most certificates.
    pub const CERTIFICATES: usize = 10;
    /// The most bytes of all certificates together, and of the PEM that they are read from.
    pub const BYTES: usize = 64 << 10;

    /// Reads a chain of `key` in PEM, the key's own certificate first.
    ///
    /// # Errors
    /// Says what is wrong with it.
    pub fn from_pem(input: &[u8], key: &PublicKey) -> Result<Self, ChainFlaw> {
        if input.len() > Self::BYTES {
            return Err(ChainFlaw::TooLong);
        }
        let mut ders = Vec::new();
        for block in pem::blocks(input).map_err(ChainFlaw::Pem)? {
            if block.label != "CERTIFICATE" {
                return Err(ChainFlaw::Block(block.label.to_owned()));
            }
            ders.push(block.der().map_err(ChainFlaw::Pem)?.to_vec());
        }
        Self::checked(ders, key)
    }

    /// Reads a chain of `key` as it is stored: the DER of each certificate after that of the one before.
    ///
    /// # Errors
    /// Says what is wrong with it.
    pub fn from_der(stored: &[u8], key: &PublicKey) -> Result<Self, ChainFlaw> {
        if stored.len() > Self::BYTES {
            return Err(ChainFlaw::TooLong);
        }
        let mut ders = Vec::new();
        let mut reader = SliceReader::new(stored).map_err(|_| ChainFlaw::Empty)?;
        while !reader.is_finished() {
            let der = reader.tlv_bytes().map_err(|_| ChainFlaw::Malformed(ders.len() + 1))?;
            ders.push(der.to_vec());
        }
        Self::checked(ders, key)
    }

    fn checked(ders: Vec<Vec<u8>>, key: &PublicKey) -> Result<Self, ChainFlaw> {
        if ders.len() > Self::CERTIFICATES {
            return Err(ChainFlaw::TooMany);
        }
        let parsed = ders.into_iter().enumerate().map(|(at, der)| {
            let parsed = Certificate::from_der(&der).map_err(|_| ChainFlaw::Malformed(at + 1))?;
            Ok(Link { der, parsed })
        });
        let links: Vec<Link> = parsed.collect::<Result<_, _>>()?;
        let first = links.first().ok_or(ChainFlaw::Empty)?;
        let spki = first.parsed.tbs_certificate.subject_public_key_info.to_der();
        let spki = spki.map_err(|_| ChainFlaw::Malformed(1))?;
        if spki != key.spki() {
            return Err(ChainFlaw::OtherKey(super::public_key::fingerprint(&spki).to_string()));
        }
        for (at, pair) in links.windows(2).enumerate() {
            pair[0].check_issued_by(&pair[1], at + 1)?;
        }
        Ok(Self(links))
    }

    /// The DER of each certificate, the key's own first.
    pub fn certificates(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        self.0.iter().map(|link| link.der.as_slice())
    }

    /// How it is stored: see [`from_der`](Self::from_der).
    pub fn to_der(&self) -> Vec<u8> {
        self.certificates().collect::<Vec<_>>().concat()
    }

    /// The chain in PEM, as openssl reads and writes it.
    pub fn to_pem(&self) -> String {
        self.certificates().map(|der| pem::encode("CERTIFICATE", der)).collect()
    }

    /// The chain as RFC 7517 has it (section 4.7): DER in base64, the key's own certificate first.
    pub fn x5c(&self) -> Vec<String> {
        self.certificates().map(|der| BASE64.encode(der)).collect()
    }

    /// Whom the key's own certificate names (RFC 4514). It may have any characters.
    pub fn subject(&self) -> String {
        self.0[0].parsed.tbs_certificate.subject.to_string()
    }

    /// Who has issued the key's own certificate (RFC 4514). It may have any characters.
    pub fn issuer(&self) -> String {
        self.0[0].parsed.tbs_certificate.issuer.to_string()
    }

    /// From when on the key's own certificate is valid.
    pub fn not_before(&self) -> Time {
        time(self.0[0].parsed.tbs_certificate.validity.not_before)
    }

    /// Until when the key's own certificate is valid.
    pub fn not_after(&self) -> Time {
        time(self.0[0].parsed.tbs_certificate.validity.not_after)
    }

    /// The number of the first certificate that is not valid at this time.
    pub fn invalid_at(&self, now: Time) -> Option<usize> {
        let is_invalid = |link: &Link| {
            let validity = link.parsed.tbs_certificate.validity;
            now < time(validity.not_before) || time(validity.not_after) < now
        };
        self.0.iter().position(is_invalid).map(|at| at + 1)
    }
}

fn time(time: x509_cert::time::Time) -> Time {
    Time::from_millis(u64::try_from(time.to_unix_duration().as_millis()).unwrap_or(u64::MAX))
}

impl Link {
    /// Section 6.1.3 of RFC 5280, (a) (1) and (4). `number` is that of this certificate.
    fn check_issued_by(&self, issuer: &Self, number: usize) -> Result<(), ChainFlaw> {
        let (issued, issuer) = (&self.parsed, &issuer.parsed.tbs_certificate);
        if issued.tbs_certificate.issuer != issuer.subject {
            return Err(ChainFlaw::OtherIssuer(number));
        }
        let malformed = || ChainFlaw::Malformed(number);
        let (message, signature) = self.signed().zip(issued.signature.as_bytes()).ok_or_else(malformed)?;
        let key = &issuer.subject_public_key_info;
        let key_bits = key.subject_public_key.as_bytes().ok_or_else(malformed)?;
        if issued.tbs_certificate.signature != issued.signature_algorithm {
            return Err(malformed());
        }
        let (by, with) = (identifier(&issued.signature_algorithm), identifier(&key.algorithm));
        let fits = |algorithm: &&&dyn SignatureVerificationAlgorithm| {
            Some(algorithm.signature_alg_id().as_ref()) == by.as_deref()
                && Some(algorithm.public_key_alg_id().as_ref()) == with.as_deref()
        };
        let algorithm = ALL_VERIFICATION_ALGS.iter().find(fits).ok_or(ChainFlaw::Algorithm(number))?;
        let verdict = algorithm.verify_signature(key_bits, message, signature);
        verdict.map_err(|_| ChainFlaw::Signature(number))
    }

    /// What the signature is over: the first part of the certificate, byte by byte as it was sent.
    fn signed(&self) -> Option<&[u8]> {
        let reader = SliceReader::new(&self.der).ok()?;
        let length = reader.peek_header().ok()?.length;
        let header = self.der.len().checked_sub(usize::try_from(length).ok()?)?;
        SliceReader::new(&self.der[header..]).ok()?.tlv_bytes().ok()
    }
}

/// The inside of an AlgorithmIdentifier, as the verifying algorithms name it.
fn identifier(algorithm: &AlgorithmIdentifierOwned) -> Option<Vec<u8>> {
    use pkcs8::der::asn1::AnyRef;
    let der = algorithm.to_der().ok()?;
    AnyRef::from_der(&der).ok().map(|any| any.value().to_vec())
}
