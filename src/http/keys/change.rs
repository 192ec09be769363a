//! `PATCH /v1/keys/{fingerprint}`: puts a key into another state, or sets its limits.

use actix_web::{
    HttpRequest, HttpResponse,
    web::{Data, Path, Payload},
};
use serde::{Deserialize, Deserializer};
use utoipa::ToSchema;

use super::shape::{KeyBody, fingerprint};
use crate::{
    domain::{By, Fingerprint, KeyState, LimitChange, LimitRefusal, MaxSignatures, Time},
    http::{
        answer,
        app::App,
        caller::Caller,
        json,
        names::KeyStateName,
        problem::{Kind, Problem},
    },
    store::{KeyLimitsVerdict, KeyStateVerdict},
};

/// The most characters that a reason may have.
const REASON: usize = 1000;

/// The most bytes that the body may have.
const BODY: usize = 16 << 10;

/// A change of a key: a state, or limits.
#[derive(Deserialize, ToSchema)]
#[serde(untagged)]
pub enum KeyChange {
    /// The new state of a key.
    State(StateChange),
    /// The new limits of a key.
    Limits(LimitsChange),
}

/// The new state of a key.
#[derive(Deserialize, ToSchema)]
#[schema(as = KeyStateChange)]
#[serde(deny_unknown_fields)]
pub struct StateChange {
    /// active, disabled, suspended or retired. Retired is final.
    #[schema(value_type = KeyStateName, example = "disabled")]
    state: String,
    /// Why, for people to read: 1000 characters at most.
    #[schema(max_length = 1000)]
    reason: Option<String>,
}

/// The new limits of a key. A limit that is left out stays as it is; `null` removes it.
#[derive(Deserialize, ToSchema)]
#[schema(as = KeyLimitsChange, min_properties = 1)]
#[serde(deny_unknown_fields)]
pub struct LimitsChange {
    /// How many signatures the key may make in all.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<i64>, minimum = 1, maximum = 9007199254740991i64, example = 1000000)]
    pub(super) max_signatures: Option<Option<i64>>,
    /// From when on batches may be leased with the key, by the database's clock (RFC 3339, in UTC).
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>, example = "2027-01-01T00:00:00Z")]
    pub(super) not_before: Option<Option<String>>,
    /// From when on no batch is leased with the key any more (RFC 3339, in UTC).
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>, example = "2028-01-01T00:00:00Z")]
    pub(super) not_after: Option<Option<String>>,
}

/// Tells `null` from a field that is left out.
fn given<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

impl TryFrom<LimitsChange> for LimitChange {
    type Error = Problem;

    fn try_from(change: LimitsChange) -> Result<Self, Problem> {
        let too_many = |_| invalid("A number of signatures is from 1 to 9007199254740991.");
        let most = |number| MaxSignatures::try_from(number).map_err(too_many);
        let not_utc = |_| invalid("A time is in UTC, such as 2027-01-31T12:00:00Z.");
        let time = |text: String| text.parse::<Time>().map_err(not_utc);
        let change = Self {
            max_signatures: change.max_signatures.map(|limit| limit.map(most).transpose()).transpose()?,
            not_before: change.not_before.map(|limit| limit.map(time).transpose()).transpose()?,
            not_after: change.not_after.map(|limit| limit.map(time).transpose()).transpose()?,
        };
        Ok(change)
    }
}

fn invalid(detail: &'static str) -> Problem {
    Problem::because(Kind::InvalidRequest, detail)
}

/// Puts a key into another state, or sets its limits.
///
/// A batch that is being signed with the key is finished. Doing the same again is harmless.
#[utoipa::path(
    patch,
    path = "/v1/keys/{fingerprint}",
    operation_id = "change_key",
    tag = "keys",
    params(("fingerprint" = String, Path, description = "64 hexadecimal digits", pattern = "^[0-9a-fA-F]{64}$")),
    request_body = KeyChange,
    responses(
        (status = 200, description = "The key as it is now", body = KeyBody),
        (status = 404, description = "There is no such key"),
        (status = 409, description = "A retired key stays retired, or its limits cannot be set"),
    )
)]
pub async fn change(
    request: HttpRequest,
    app: Data<App>,
    caller: Caller,
    name: Path<String>,
    payload: Payload,
) -> Result<HttpResponse, Problem> {
    let (name, by) = (fingerprint(&name)?, caller.by());
    match json::read(&request, payload, BODY, &app).await? {
        KeyChange::State(change) => set_state(&app, name, change, by).await,
        KeyChange::Limits(change) => set_limits(&app, name, change.try_into()?, by).await,
    }
}

async fn set_state(
    app: &App,
    name: Fingerprint,
    change: StateChange,
    by: By,
) -> Result<HttpResponse, Problem> {
    let StateChange { state, reason } = change;
    let unknown =
        |_| Problem::because(Kind::InvalidRequest, "A state is active, disabled, suspended or retired.");
    let state: KeyState = state.parse().map_err(unknown)?;
    if reason.as_ref().is_some_and(|reason| reason.chars().count() > REASON || reason.contains('\0')) {
        return Err(Problem::because(
            Kind::InvalidRequest,
            "A reason has 1000 characters at most, and no NUL.",
        ));
    }
    let changed = app.change(move |store| {
        let Some(key) = store.key_named(&name)? else { return Ok(None) };
        let verdict = store.set_key_state(key.id, state, reason.as_deref(), &by)?;
        Ok(store.key(key.id)?.map(|key| (verdict, key)))
    });
    match changed.await? {
        Some((KeyStateVerdict::Changed(_), key)) => Ok(answer::ok(&KeyBody::from(&key))),
        Some((KeyStateVerdict::Refused(_), _)) => Err(Problem::new(Kind::RetiredIsFinal)),
        Some((KeyStateVerdict::NoSuchKey, _)) | None => Err(Problem::new(Kind::NotFound)),
    }
}

async fn set_limits(
    app: &App,
    name: Fingerprint,
    change: LimitChange,
    by: By,
) -> Result<HttpResponse, Problem> {
    if change == LimitChange::default() {
        return Err(invalid("Send a state, or at least one limit."));
    }
    let changed = app.change(move |store| {
        let Some(key) = store.key_named(&name)? else { return Ok(None) };
        let verdict = store.set_key_limits(key.id, &change, &by)?;
        Ok(store.key(key.id)?.map(|key| (verdict, key)))
    });
    match changed.await? {
        Some((KeyLimitsVerdict::Set(_), key)) => Ok(answer::ok(&KeyBody::from(&key))),
        Some((KeyLimitsVerdict::Refused(LimitRefusal::Retired), _)) => {
            Err(Problem::new(Kind::RetiredIsFinal))
        }
        Some((KeyLimitsVerdict::Refused(refusal), _)) => {
            Err(Problem::because(Kind::LimitsRefused, refusal.to_string()))
        }
        Some((KeyLimitsVerdict::NoSuchKey, _)) | None => Err(Problem::new(Kind::NotFound)),
    }
}
