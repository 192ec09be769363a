//! The public keys as JSON Web Keys (RFC 7517).

use std::{sync::Arc, time::Duration};

use data_encoding::BASE64URL_NOPAD;
use serde::Serialize;
use tokio::{sync::Mutex, time::Instant};
use utoipa::ToSchema;

use super::shape::x5c;
use crate::{domain::KeyState, http::problem::Problem, signer::PublicKey, store::KeyRow};

/// A public key as a JSON Web Key (RFC 7518, section 6.3.1). It has no `alg`, because a key may be used with several
/// schemes. Its `kid` is the fingerprint of the key here, which is not the thumbprint of RFC 7638.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Jwk {
    #[schema(example = "RSA")]
    kty: &'static str,
    #[schema(example = "sig")]
    r#use: &'static str,
    /// SHA-256 of its DER SubjectPublicKeyInfo in hexadecimal.
    kid: String,
    /// The modulus.
    n: String,
    /// The public exponent.
    e: String,
    /// Its certificates, if there are some: DER in base64, its own first, then each issuer.
    #[serde(skip_serializing_if = "Option::is_none")]
    x5c: Option<Vec<String>>,
}

impl Jwk {
    /// The public half of a key, with the certificates that are stored of it; `None` for a stored key that does not parse,
    /// which verifies nothing.
    pub fn of(key: &KeyRow, certificates: Option<&[u8]>) -> Option<Self> {
        let (n, e) = PublicKey::from_spki(&key.public_key).ok()?.numbers();
        Some(Self {
            kty: "RSA",
            r#use: "sig",
            kid: key.fingerprint.to_string(),
            n: BASE64URL_NOPAD.encode(&n),
            e: BASE64URL_NOPAD.encode(&e),
            x5c: certificates.and_then(|stored| x5c(key, stored)),
        })
    }
}

/// A set of public keys (RFC 7517, section 5).
#[derive(Serialize, ToSchema)]
pub struct JwkSet {
    /// The keys.
    pub keys: Vec<Jwk>,
}

/// All public keys, built once a second at most, because anybody may ask for them.
#[derive(Default)]
pub struct KeySet(Mutex<Option<(Instant, All)>>);

/// Every public key with its state.
type All = Arc<[(KeyState, Jwk)]>;

impl KeySet {
    const AGE: Duration = Duration::from_secs(1);

    /// The keys with their states, as they were within the last second. `read` reads them.
    ///
    /// # Errors
    /// Those of `read`.
    pub async fn keys(
        &self,
        read: impl Future<Output = Result<Vec<(KeyState, Jwk)>, Problem>>,
    ) -> Result<All, Problem> {
        let mut last = self.0.lock().await;
        if let Some((at, keys)) = &*last
            && at.elapsed() < Self::AGE
        {
            return Ok(Arc::clone(keys));
        }
        let keys: All = read.await?.into();
        *last = Some((Instant::now(), Arc::clone(&keys)));
        Ok(keys)
    }
}
