//! `POST /v1/verify`: whether a signature is valid.

use actix_web::{
    HttpRequest, HttpResponse,
    web::{self, Data, Payload},
};
use data_encoding::BASE64;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    domain::{Fingerprint, RecordId, Scheme},
    formats::rows::max_object,
    http::{
        answer,
        app::App,
        json,
        names::SchemeName,
        problem::{Kind, Problem},
        query::Id,
    },
    signer::{Engine, PublicKey, digest},
    store::{Lookup, RecordName, StoreError, Wanted},
};

/// What to verify: a payload with its signature, key and scheme, or a stored record.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct VerifyRequest {
    /// The payload as text.
    payload: Option<String>,
    /// The payload in base64.
    payload_base64: Option<String>,
    /// The key: SHA-256 of its DER SubjectPublicKeyInfo in hexadecimal.
    #[schema(pattern = "^[0-9a-fA-F]{64}$")]
    fingerprint: Option<String>,
    /// The scheme, such as PS256.
    #[schema(value_type = Option<SchemeName>)]
    scheme: Option<String>,
    /// The signature in base64. With `record_id` it may be left out: then the stored signature is verified.
    signature: Option<String>,
    /// A stored record, instead of a payload, key and scheme.
    #[schema(pattern = "^[1-9][0-9]{0,18}$")]
    record_id: Option<String>,
}

/// Whether the signature is valid.
#[derive(Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Verification)]
pub struct VerifyBody {
    /// Whether the signature is valid. An invalid signature is no error of the request.
    valid: bool,
    /// Why it is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<Reason>,
}

/// Why a signature is not valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
#[schema(as = Invalidity)]
enum Reason {
    /// The record is not signed yet, so that it has neither a key nor a signature.
    NotSigned,
    /// The signature is not as long as the key's modulus.
    WrongLength,
    /// The key is restricted to other schemes.
    SchemeNotAllowed,
    /// The signature is not one of this payload by this key under this scheme.
    Mismatch,
}

/// The request's meaning.
#[derive(Debug, PartialEq, Eq)]
enum Question {
    /// About a payload that the client has.
    Payload { payload: Vec<u8>, fingerprint: Fingerprint, scheme: Scheme, signature: Vec<u8> },
    /// About a stored record.
    Record { record: RecordId, signature: Option<Vec<u8>> },
}

/// Everything that a verification needs.
struct Evidence {
    payload: Vec<u8>,
    public_key: Vec<u8>,
    scheme: Scheme,
    signature: Vec<u8>,
}

/// Whether a signature is valid.
///
/// At most two verifications run at a time, beside the threads that sign.
#[utoipa::path(
    post,
    path = "/v1/verify",
    operation_id = "verify",
    tag = "records",
    request_body = VerifyRequest,
    responses(
        (status = 200, description = "Whether the signature is valid", body = VerifyBody),
        (status = 400, description = "The request does not say what to verify"),
        (status = 404, description = "There is no such key or record"),
    )
)]
pub async fn verify(request: HttpRequest, app: Data<App>, payload: Payload) -> Result<HttpResponse, Problem> {
    let asked: VerifyRequest =
        json::read(&request, payload, max_object(app.payload_limit().await?), &app).await?;
    let question = Question::try_from(asked)?;
    let _place = app.limits().verifications.take().await?;
    let evidence = app.read(move |store| evidence(store, question)).await?;
    let evidence = evidence.ok_or(Problem::new(Kind::NotFound))?;
    let judged =
        web::block(move || evidence.map_or(Some(Reason::NotSigned), |evidence| evidence.flaw())).await;
    let reason = judged.map_err(|_| Problem::new(Kind::Internal))?;
    Ok(answer::ok(&VerifyBody { valid: reason.is_none(), reason }))
}

impl TryFrom<VerifyRequest> for Question {
    type Error = Problem;

    fn try_from(asked: VerifyRequest) -> Result<Self, Problem> {
        let wrong = |detail: &'static str| Problem::because(Kind::InvalidRequest, detail);
        let base64 = |text: String, detail| BASE64.decode(text.as_bytes()).map_err(|_| wrong(detail));
        let signature =
            asked.signature.map(|text| base64(text, "The signature is not base64.")).transpose()?;
        match (asked.record_id, asked.payload, asked.payload_base64, asked.fingerprint, asked.scheme) {
            (Some(record), None, None, None, None) => {
                let Id(record) = record.parse().map_err(|_| Problem::new(Kind::NotFound))?;
                Ok(Self::Record { record: RecordId(record), signature })
            }
            (None, text, encoded, Some(fingerprint), Some(scheme)) if text.is_some() != encoded.is_some() => {
                let decoded = encoded.map(|text| base64(text, "The payload is not base64.")).transpose()?;
                Ok(Self::Payload {
                    payload: decoded.or(text.map(String::into_bytes)).unwrap_or_default(),
                    fingerprint: fingerprint
                        .parse()
                        .map_err(|_| wrong("A fingerprint is 64 hexadecimal digits."))?,
                    scheme: scheme.parse().map_err(|_| wrong("The scheme is unknown."))?,
                    signature: signature.ok_or(wrong("The signature is missing."))?,
                })
            }
            _ => Err(wrong(
                "Send either record_id, or a payload (payload or payload_base64) with its fingerprint, scheme and \
                 signature.",
            )),
        }
    }
}

/// What is needed to answer the question: `None` when there is no such key or record, `Some(None)` when the record is
/// not signed.
fn evidence(store: &dyn Lookup, question: Question) -> Result<Option<Option<Evidence>>, StoreError> {
    let (payload, fingerprint, scheme, signature) = match question {
        Question::Payload { payload, fingerprint, scheme, signature } => {
            (payload, fingerprint, scheme, signature)
        }
        Question::Record { record, signature } => {
            let wanted = Wanted { payload: true, unsigned_batch: false };
            let Some(row) = store.record(RecordName::Id(record), wanted)? else { return Ok(None) };
            let key = row.batch.and_then(|batch| batch.key.zip(batch.scheme));
            let Some(((fingerprint, scheme), stored)) = key.zip(row.signature) else { return Ok(Some(None)) };
            (row.payload.unwrap_or_default(), fingerprint, scheme, signature.unwrap_or(stored))
        }
    };
    let Some(key) = store.key_named(&fingerprint)? else { return Ok(None) };
    Ok(Some(Some(Evidence { payload, public_key: key.public_key, scheme, signature })))
}

impl Evidence {
    /// Why the signature is not valid; `None` if it is valid.
    fn flaw(&self) -> Option<Reason> {
        // A stored key that does not parse verifies nothing. 'signwave verify' says what is wrong with it.
        let Ok(key) = PublicKey::from_spki(&self.public_key) else { return Some(Reason::Mismatch) };
        if !key.may_sign(self.scheme) {
            return Some(Reason::SchemeNotAllowed);
        }
        if self.signature.len() != key.modulus_len() {
            return Some(Reason::WrongLength);
        }
        let digest = digest(self.scheme.digest(), &self.payload);
        let is_valid = Engine::default()
            .verifier(&key)
            .is_ok_and(|verifier| verifier.verify(self.scheme, &digest, &self.signature));
        (!is_valid).then_some(Reason::Mismatch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question(json: &str) -> Result<Question, Kind> {
        let asked: VerifyRequest = serde_json::from_str(json).unwrap();
        Question::try_from(asked).map_err(|problem| problem.kind)
    }

    #[test]
    fn a_question_is_about_a_payload_or_a_record_and_nothing_in_between() {
        let fingerprint = "0".repeat(64);
        let rest = format!("\"fingerprint\":\"{fingerprint}\",\"scheme\":\"PS256\",\"signature\":\"AA==\"");
        let payload = |payload: &[u8]| Question::Payload {
            payload: payload.to_vec(),
            fingerprint: Fingerprint([0; 32]),
            scheme: Scheme::Ps256,
            signature: vec![0],
        };
        assert_eq!(question(&format!("{{\"payload\":\"é\",{rest}}}")), Ok(payload("é".as_bytes())));
        assert_eq!(question(&format!("{{\"payload_base64\":\"/w==\",{rest}}}")), Ok(payload(&[0xff])));
        let record = |signature| Ok(Question::Record { record: RecordId(7), signature });
        assert_eq!(question("{\"record_id\":\"7\"}"), record(None));
        assert_eq!(question("{\"record_id\":\"7\",\"signature\":\"AA==\"}"), record(Some(vec![0])));
        for json in [
            "{}".to_owned(),
            format!("{{{rest}}}"),
            format!("{{\"payload\":\"a\",\"payload_base64\":\"/w==\",{rest}}}"),
            format!("{{\"payload_base64\":\"/w=\",{rest}}}"),
            format!("{{\"record_id\":\"7\",{rest}}}"),
            format!("{{\"payload\":\"a\",{}}}", rest.replace("PS256", "none")),
            format!("{{\"payload\":\"a\",{}}}", rest.replace("AA==", "A")),
            format!("{{\"payload\":\"a\",{}}}", rest.replace("00", "0g")),
        ] {
            assert_eq!(question(&json), Err(Kind::InvalidRequest), "{json}");
        }
        assert_eq!(question("{\"record_id\":\"x\"}"), Err(Kind::NotFound));
    }
}
