//! Problems: every error that the API answers with, as RFC 9457 has it. The list is closed, and each problem has a
//! page below `/problems`.

use std::{borrow::Cow, fmt};

use actix_web::{HttpResponse, ResponseError, http::StatusCode};
use serde::Serialize;

use crate::store::StoreError;

/// An error that the API answers with. No text repeats what the client sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Which of the listed problems it is.
    pub kind: Kind,
    /// What is wrong with this request, where that helps the client.
    pub detail: Option<Cow<'static, str>>,
    /// After how many seconds the client may try again.
    pub retry_after: Option<u32>,
}

macro_rules! kinds {
    ($($(#[doc = $text:literal])+ $kind:ident = $slug:literal, $status:ident, $title:literal;)+) => {
        /// The closed list of problems.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Kind {
            $($(#[doc = $text])+ $kind,)+
        }

        impl Kind {
            /// Every problem, in the order of the statuses.
            pub const ALL: &[Self] = &[$(Self::$kind),+];

            /// The name of the problem, which is the last part of its type.
            pub fn slug(self) -> &'static str {
                match self { $(Self::$kind => $slug,)+ }
            }

            /// The status of the answer.
            pub fn status(self) -> StatusCode {
                match self { $(Self::$kind => StatusCode::$status,)+ }
            }

            /// The problem in a few words.
            pub fn title(self) -> &'static str {
                match self { $(Self::$kind => $title,)+ }
            }

            /// What the problem means, and what a client can do, for the problem's page.
            pub fn explanation(self) -> &'static str {
                match self { $(Self::$kind => concat!($($text,)+),)+ }
            }
        }
    };
}

kinds! {
    /// The request breaks a rule of the API. The detail says which. Correct the request: the same request always
    /// fails.
    InvalidRequest = "invalid-request", BAD_REQUEST, "The request is not valid";
    /// A line of the body is no record: the detail says which line, and what is wrong with it. The lines before it
    /// are stored. Correct the line, and send the rest from there.
    LineInvalid = "line-invalid", BAD_REQUEST, "A line is not valid";
    /// A record needs a name, so that sending it again is harmless. Set external_id or an Idempotency-Key, or
    /// set anonymous=true in the query if the record may be added twice.
    IdentityMissing = "identity-missing", BAD_REQUEST, "The record has no name";
    /// The request has no token, or its token is unknown, expired or revoked, or the session of the dashboard has ended.
    /// 'signwave tokens create' makes a token.
    InvalidToken = "invalid-token", UNAUTHORIZED, "A valid token is needed";
    /// The token is valid, but does not have the scope that this request needs.
    InsufficientScope = "insufficient-scope", FORBIDDEN, "The token's scopes do not allow this";
    /// A browser sent the request from a page of another origin, which --cors-origins does not name.
    ForeignOrigin = "foreign-origin", FORBIDDEN, "Pages of this origin may not call the API";
    /// The request has the cookie of a session, but its headers Sec-Fetch-Site and Origin do not show that the
    /// service's own page has sent it. Programs send a token instead of the cookie.
    CrossSiteRequest = "cross-site-request", FORBIDDEN, "A page of another site may have sent this";
    /// Nothing is found at this address, or no such record, key or batch exists.
    NotFound = "not-found", NOT_FOUND, "Not found";
    /// The resource exists, but does not take this method. The header Allow names the methods.
    MethodNotAllowed = "method-not-allowed", METHOD_NOT_ALLOWED, "The method is not allowed";
    /// The answer exists in other media types than the header Accept allows.
    NotAcceptable = "not-acceptable", NOT_ACCEPTABLE, "No accepted media type is available";
    /// The body came too slowly. Send it again over a faster connection, or in smaller parts.
    RequestTimeout = "request-timeout", REQUEST_TIMEOUT, "The request came too slowly";
    /// A record with this external_id and another payload exists. Nothing was changed. If this is another record,
    /// give it another external_id.
    ExternalIdConflict = "external-id-conflict", CONFLICT, "The external_id belongs to another payload";
    /// The feed does not have this position: the database was made anew, or an older backup was restored, or a standby
    /// that lagged has taken over. Signatures that the client has may be gone. The detail says which. Read the feed
    /// again from the start, and compare.
    PositionUnknown = "position-unknown", CONFLICT, "The feed does not have this position";
    /// The record has no bundle yet: it is not signed, or it was signed after the last checkpoint of the ledger, or there is
    /// no checkpoint. The detail says which. Processes that sign make a checkpoint once a second while the ledger grows.
    NoBundleYet = "no-bundle-yet", CONFLICT, "The record has no bundle yet";
    /// The record was signed, and a restored database lacks its signature. It is not signed again. Look for the signature
    /// where it was sent.
    SignatureLost = "signature-lost", GONE, "The signature was lost";
    /// A retired key stays retired. Make another one.
    RetiredIsFinal = "retired-is-final", CONFLICT, "A retired key stays retired";
    /// These limits cannot be set: the key has made more signatures than max_signatures says, or not_before is not
    /// earlier than not_after. Nothing was changed. The detail says which.
    LimitsRefused = "limits-refused", CONFLICT, "The limits cannot be set";
    /// A revoked token stays revoked. Make another one.
    RevokedIsFinal = "revoked-is-final", CONFLICT, "A revoked token stays revoked";
    /// Another token, which is not revoked, belongs to the key of this client certificate. Revoke that
    /// token first, or use a certificate with another key.
    CertificateTaken = "certificate-taken", CONFLICT, "The certificate's key belongs to another token";
    /// The webhook cannot be added: another one has its name, or there are 100 already. Remove one first.
    WebhookRefused = "webhook-refused", CONFLICT, "The webhook cannot be added";
    /// This process has no master key, so it cannot seal a new private key, or open or seal the secret of a webhook. Ask a
    /// process that signs, or use the command line.
    NoMasterKey = "no-master-key", CONFLICT, "This process has no master key";
    /// A payload, a line or the body is larger than the limit. 'signwave migrate --max-payload' changes the limit of
    /// payloads.
    ContentTooLarge = "content-too-large", PAYLOAD_TOO_LARGE, "The request is too large";
    /// The request names another host than those of this service. Use the address in the service's log, or allow
    /// the name with --allowed-hosts.
    MisdirectedRequest = "misdirected-request", MISDIRECTED_REQUEST, "This host is not served here";
    /// The body has a media type or an encoding that this resource does not take. Compressed bodies are never
    /// taken.
    UnsupportedMediaType = "unsupported-media-type", UNSUPPORTED_MEDIA_TYPE, "The media type is not supported";
    /// This Idempotency-Key was used before, with another payload. Use a new key for each record.
    IdempotencyKeyReused = "idempotency-key-reused", UNPROCESSABLE_ENTITY, "The Idempotency-Key belongs to another payload";
    /// This client sends more than its limit. Wait as long as Retry-After says.
    TooManyRequests = "too-many-requests", TOO_MANY_REQUESTS, "This client sends too many requests";
    /// The service failed. Nothing is known about the request's outcome; the service's log has the details, under
    /// the request's id.
    Internal = "internal", INTERNAL_SERVER_ERROR, "The service failed";
    /// The service has more work than it can take. Nothing was stored, except for lines of a stream that were answered
    /// before. Wait as long as Retry-After says.
    Overloaded = "overloaded", SERVICE_UNAVAILABLE, "The service is overloaded";
    /// The database does not answer, or its answer to a commit was lost. Send the same request again: it is
    /// harmless if the record has a name.
    DatabaseUnavailable = "database-unavailable", SERVICE_UNAVAILABLE, "The database does not answer";
    /// The service is stopping. Send the request again, to this or another process.
    Stopping = "stopping", SERVICE_UNAVAILABLE, "The service is stopping";
}

impl Problem {
    /// The address of the problems' pages; a problem's type is this and its slug.
    pub const PAGES: &str = "/problems/";

    /// A problem that needs no more words than its title.
    pub const fn new(kind: Kind) -> Self {
        Self { kind, detail: None, retry_after: None }
    }

    /// A problem with a detail, which must not repeat what the client sent.
    pub fn because(kind: Kind, detail: impl Into<Cow<'static, str>>) -> Self {
        Self { kind, detail: Some(detail.into()), retry_after: None }
    }

    /// The same problem with a time, in seconds, after which the client may try again.
    #[must_use]
    pub fn retry_after(self, seconds: u32) -> Self {
        Self { retry_after: Some(seconds), ..self }
    }

    /// The overload of something that is free again after about a second.
    pub fn overloaded() -> Self {
        Self::new(Kind::Overloaded).retry_after(1)
    }

    /// The body of the answer. `request` is the id of the request, under which the log has more.
    pub fn body(&self, request: &str) -> Vec<u8> {
        let kind = self.kind;
        let body = Body {
            r#type: format!("{}{}", Self::PAGES, kind.slug()),
            title: kind.title(),
            status: kind.status().as_u16(),
            detail: self.detail.as_deref(),
            request_id: request,
        };
        serde_json::to_vec(&body).expect("a map of texts and numbers can be written as JSON")
    }
}

/// RFC 9457, section 3.1, with one extension member.
#[derive(Serialize)]
struct Body<'a> {
    r#type: String,
    title: &'static str,
    status: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'a str>,
    request_id: &'a str,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind.title())?;
        self.detail.as_deref().map_or(Ok(()), |detail| write!(f, ": {detail}"))
    }
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        self.kind.status()
    }

    /// An answer without a body. The edge, which knows the request's id, fills it in.
    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::new(self.kind.status());
        response.extensions_mut().insert(self.clone());
        response
    }
}

impl From<StoreError> for Problem {
    /// The details of a failed database stay in the log.
    fn from(error: StoreError) -> Self {
        if error.is_outage() {
            log::warn!("api: {error}");
            Self::new(Kind::DatabaseUnavailable).retry_after(1)
        } else {
            log::error!("api: {error}");
            Self::new(Kind::Internal)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_problem_has_a_slug_of_its_own_and_an_explanation_in_sentences() {
        let slugs: BTreeSet<_> = Kind::ALL.iter().map(|kind| kind.slug()).collect();
        assert_eq!(slugs.len(), Kind::ALL.len());
        for kind in Kind::ALL {
            assert!(kind.status().is_client_error() || kind.status().is_server_error());
            assert!(kind.explanation().ends_with('.') && !kind.title().ends_with('.'), "{kind:?}");
        }
    }

    #[test]
    fn the_details_of_a_failure_stay_inside() {
        let problem = Problem::from(StoreError::Other("canary".to_owned()));
        let body = String::from_utf8(problem.body("r1")).unwrap();
        assert!(!body.contains("canary") && body.contains("\"request_id\":\"r1\""), "{body}");
        assert_eq!(problem.kind, Kind::Internal);
    }
}
