//! The signature of a record, as clients read it.

use serde::Serialize;
use utoipa::ToSchema;

use super::names::SchemeName;

/// The signature of a record, with what is needed to verify it.
#[derive(Serialize, ToSchema)]
#[schema(as = Signature)]
pub struct SignatureBody {
    /// The signature of the payload's bytes in base64 (RFC 8017). It is no JWS.
    pub signature: String,
    /// The scheme, as RFC 7518 calls it.
    #[schema(value_type = SchemeName, example = "PS256")]
    pub scheme: &'static str,
    /// The key: SHA-256 of its DER SubjectPublicKeyInfo in hexadecimal.
    pub fingerprint: String,
    /// The batch that it was signed in.
    pub batch: String,
    /// When it was stored (RFC 3339).
    pub signed_at: String,
}
