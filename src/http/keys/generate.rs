//! `POST /v1/keys`: makes new keys. Their private halves are sealed here, and never leave the process.

use actix_web::{
    HttpRequest, HttpResponse,
    web::{self, Data, Payload},
};
use serde::{Deserialize, Serialize};
use utoipa::{
    ToSchema,
    openapi::schema::{Object, ObjectBuilder, Type},
};

use super::{change::LimitsChange, shape::KeyBody};
use crate::{
    domain::{By, KeyLimits, KeyState},
    http::{
        answer,
        app::App,
        caller::Caller,
        json,
        problem::{Kind, Problem},
    },
    signer::{self, Keyring, SignerError},
    store::{AddKeyVerdict, KeyRow, NewKey, Store, StoreError},
};

/// The most bytes that the body may have.
const BODY: usize = 1 << 10;
/// The most keys of one request. 'signwave keys generate' makes more.
const COUNT: u32 = 20;
const SIZES: [u32; 3] = [2048, 3072, 4096];

/// Which keys to make.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct NewKeys {
    /// How many: 1 to 20.
    #[schema(default = 1, minimum = 1, maximum = 20)]
    count: u32,
    /// Bits of the modulus: 2048, 3072 or 4096.
    #[schema(schema_with = sizes)]
    bits: u32,
    /// How many signatures each of them may make in all.
    #[schema(minimum = 1, maximum = 9007199254740991i64, example = 1000000)]
    max_signatures: Option<i64>,
    /// From when on batches may be leased with them, by the database's clock (RFC 3339, in UTC).
    #[schema(example = "2027-01-01T00:00:00Z")]
    not_before: Option<String>,
    /// From when on no batch is leased with them any more (RFC 3339, in UTC).
    #[schema(example = "2028-01-01T00:00:00Z")]
    not_after: Option<String>,
}

impl NewKeys {
    fn limits(&mut self) -> Result<KeyLimits, Problem> {
        let change = LimitsChange {
            max_signatures: self.max_signatures.map(Some),
            not_before: self.not_before.take().map(Some),
            not_after: self.not_after.take().map(Some),
        };
        let limits = KeyLimits::default().changed(&change.try_into()?, KeyState::Active, 0, 0);
        limits.map_err(|refusal| Problem::because(Kind::InvalidRequest, refusal.to_string()))
    }
}

/// The sizes that may be asked for.
fn sizes() -> Object {
    ObjectBuilder::new()
        .schema_type(Type::Integer)
        .enum_values(Some(SIZES))
        .default(Some(SIZES[0].into()))
        .description(Some("Bits of the modulus."))
        .build()
}

impl Default for NewKeys {
    fn default() -> Self {
        Self { count: 1, bits: 2048, max_signatures: None, not_before: None, not_after: None }
    }
}

/// The new keys.
#[derive(Serialize, ToSchema)]
#[schema(as = MadeKeys)]
pub struct NewKeysBody {
    /// The keys, which may sign from now on.
    keys: Vec<KeyBody>,
}

/// Makes new keys, which may sign at once.
///
/// Each key is stored as soon as it is made: after a lost answer, list the keys before you ask for more. A key of
/// 4096 bits may take some seconds. One request at a time makes keys.
#[utoipa::path(
    post,
    path = "/v1/keys",
    operation_id = "generate_keys",
    tag = "keys",
    request_body = NewKeys,
    responses(
        (status = 201, description = "The keys", body = NewKeysBody),
        (status = 409, description = "This process has no master key"),
        (status = 503, description = "Other requests make keys"),
    )
)]
pub async fn generate(
    request: HttpRequest,
    app: Data<App>,
    caller: Caller,
    payload: Payload,
) -> Result<HttpResponse, Problem> {
    let mut new: NewKeys = json::read(&request, payload, BODY, &app).await?;
    let (count, bits, limits) = (new.count, new.bits, new.limits()?);
    if !(1..=COUNT).contains(&count) || !SIZES.contains(&bits) {
        let detail = "Ask for 1 to 20 keys of 2048, 3072 or 4096 bits.";
        return Err(Problem::because(Kind::InvalidRequest, detail));
    }
    let place = app.limits().generations.take().await?;
    let mut keys = Vec::new();
    for _ in 0..count {
        app.stopping().refuse()?;
        let (keyring, by) = (app.keyring().clone(), caller.by());
        // A client that has gone drops this future: the key that is being made is then not stored.
        let made = web::block(move || made(&keyring, bits, limits)).await;
        let made = made.map_err(|_| Problem::new(Kind::Internal))?.map_err(refused)?;
        let row = app.change(move |store| added(store, &made, &by)).await?;
        keys.push(KeyBody::from(&row));
    }
    drop(place);
    Ok(answer::json(HttpResponse::Created(), &NewKeysBody { keys }))
}

fn made(keyring: &Keyring, bits: u32, limits: KeyLimits) -> Result<NewKey, SignerError> {
    let key = signer::generate(bits)?;
    let public_key = key.public_key();
    Ok(NewKey {
        fingerprint: public_key.fingerprint(),
        public_key: public_key.spki().to_vec(),
        bits: public_key.bits(),
        material: keyring.seal(&key)?,
        limits,
    })
}

fn added(store: &dyn Store, key: &NewKey, by: &By) -> Result<KeyRow, StoreError> {
    let (AddKeyVerdict::Added(id) | AddKeyVerdict::AlreadyThere(id)) = store.add_key(key, by)?;
    store.key(id)?.ok_or_else(|| StoreError::Corrupt(format!("key {id} has gone")))
}

fn refused(error: SignerError) -> Problem {
    match error {
        SignerError::NoMasterKey(_) => Problem::new(Kind::NoMasterKey),
        error => {
            log::error!("api: a key cannot be made: {error}");
            Problem::new(Kind::Internal)
        }
    }
}
