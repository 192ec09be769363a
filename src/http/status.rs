//! `GET /v1/status`: how far the work is.

use std::sync::Arc;

use actix_web::{HttpResponse, web::Data};
use serde::Serialize;
use utoipa::ToSchema;

use super::{answer, app::App, names::WebhookStateName, problem::Problem, snapshot::Look};
use crate::{
    intake::Counters,
    publishing,
    store::{LedgerRow, Status, WebhookRow},
};

/// How far the work is.
#[derive(Serialize, ToSchema)]
#[schema(as = Status)]
pub struct StatusBody {
    /// Records in each state.
    records: Records,
    /// Batches in each state.
    batches: Batches,
    /// Keys in each state.
    keys: Keys,
    /// The ledger; `null` if it cannot be read.
    ledger: Option<Ledger>,
    /// Messages of brokers that were refused, counted up to 100,000.
    refused: u64,
    /// What the intake of this process has taken from a broker. `null` where it has none.
    intake: Option<Intake>,
    /// What each publisher of this process does.
    publishers: Vec<Publisher>,
    /// Nodes at work.
    nodes: usize,
    /// Each webhook, in the order of the names.
    webhooks: Vec<Webhook>,
    /// Records that all nodes together signed per second, over the last ten seconds at most, if that is known.
    records_per_second: Option<f64>,
    /// How long the waiting records take at that rate, in seconds, if that is known.
    seconds_left: Option<f64>,
    /// The part of the time for which this process' signing threads were signing, over the same seconds: 1 is all of
    /// it. `null` where nothing is signed.
    busy_share: Option<f64>,
    /// The record that has waited longest.
    oldest_unsigned: Option<Oldest>,
    /// The version of the service.
    version: &'static str,
}

/// The receipts of what was committed.
#[derive(Serialize, ToSchema)]
#[schema(as = LedgerStatus)]
struct Ledger {
    /// Which ledger it is, and its incarnation.
    origin: String,
    /// How many entries it has: of signed batches, and of keys that were added or retired.
    entries: u64,
    /// The root of their tree (RFC 6962), in base64.
    root: String,
    /// Why nothing is formed, leased or signed: the database is older than what was shown of it. Usually `null`.
    halted: Option<String>,
    /// How many entries its last checkpoint is of. `null` if there is none yet.
    checkpoint_entries: Option<u64>,
}

impl From<&LedgerRow> for Ledger {
    fn from(ledger: &LedgerRow) -> Self {
        Self {
            origin: ledger.origin.to_string(),
            entries: ledger.head.size,
            root: ledger.head.root.to_string(),
            halted: ledger.halted.clone(),
            checkpoint_entries: ledger.checkpoint.as_ref().map(|(entries, _)| *entries),
        }
    }
}

/// What the intake of a process has taken from a broker since its start.
#[derive(Serialize, ToSchema)]
#[schema(as = IntakeCounts)]
struct Intake {
    /// What it is at: `connected`, `disconnected` or `database-away`.
    state: &'static str,
    /// Messages that became records.
    stored: u64,
    /// Messages that were records already.
    repeated: u64,
    /// Messages that were refused, counted each time they arrive.
    refused: u64,
    /// Messages that were acknowledged.
    acknowledged: u64,
}

impl Intake {
    fn of(counters: &Counters) -> Self {
        Self {
            state: counters.state().name(),
            stored: counters.stored(),
            repeated: counters.repeated(),
            refused: counters.refused(),
            acknowledged: counters.acknowledged(),
        }
    }
}

/// What a publisher of a process does, and has done since its start.
#[derive(Serialize, ToSchema)]
#[schema(as = PublisherStatus)]
struct Publisher {
    /// Where it publishes, without the password.
    destination: String,
    /// What it is at: `publishing`, `standby` (another node publishes), `disconnected`, `blocked` (the broker takes
    /// nothing for now), `database-away`, or `stopped` (the position is not one of this feed).
    state: &'static str,
    /// The position up to which everything is confirmed. `null` where this process does not know.
    position: Option<String>,
    /// Batches of the feed behind that position.
    lag_batches: Option<u64>,
    /// Messages that the broker has confirmed, counted each time they are sent.
    messages: u64,
    /// Signatures in these messages.
    signatures: u64,
    /// For how long nothing can be published, in seconds. `null` while nothing is wrong.
    down_seconds: Option<f64>,
    /// What is wrong, in words.
    problem: Option<String>,
}

impl Publisher {
    fn of(counters: &publishing::Counters) -> Self {
        Self {
            destination: counters.destination().to_owned(),
            state: counters.state().name(),
            position: counters.position().map(|position| position.to_string()),
            lag_batches: counters.lag(),
            messages: counters.messages(),
            signatures: counters.signatures(),
            down_seconds: counters.down_for().map(|time| time.as_secs_f64()),
            problem: counters.problem(),
        }
    }
}

/// How far a webhook is.
#[derive(Serialize, ToSchema)]
#[schema(as = WebhookStatus)]
struct Webhook {
    /// Its name.
    name: String,
    /// `enabled` or `disabled`.
    #[schema(value_type = WebhookStateName)]
    state: &'static str,
    /// The position of the last message that was accepted.
    position: String,
    /// Signed batches behind that position.
    lag: u64,
    /// Messages that failed in a row.
    failures: u64,
}

impl From<&WebhookRow> for Webhook {
    fn from(row: &WebhookRow) -> Self {
        Self {
            name: row.name.to_string(),
            state: row.state.name(),
            position: row.position.to_string(),
            lag: row.lag,
            failures: row.failures,
        }
    }
}

#[derive(Serialize, ToSchema)]
#[schema(as = RecordCounts)]
struct Records {
    signed: u64,
    leased: u64,
    open: u64,
    unbatched: u64,
    /// Signed once, and never again, because a restored database lacks their signatures.
    lost: u64,
}

/// A record that waits.
#[derive(Serialize, ToSchema)]
#[schema(as = OldestUnsigned)]
struct Oldest {
    /// The record.
    record_id: String,
    /// When it was added (RFC 3339).
    created_at: String,
    /// How long ago that was.
    age_seconds: f64,
}

#[derive(Serialize, ToSchema)]
#[schema(as = BatchCounts)]
struct Batches {
    open: u64,
    leased: u64,
    signed: u64,
    lost: u64,
}

#[derive(Serialize, ToSchema)]
#[schema(as = KeyCounts)]
struct Keys {
    active: u64,
    disabled: u64,
    suspended: u64,
    retired: u64,
    /// Active keys whose time has not come.
    not_yet_valid: u64,
    /// Active keys whose time is over.
    expired: u64,
    /// Active keys whose limit leaves fewer signatures than any open batch has records.
    exhausted: u64,
    /// Active keys that no node at work can use, because no node has their custodian.
    unreachable: u64,
}

impl StatusBody {
    /// What was seen, by a process with so many signing threads, this intake and these publishers.
    fn new(
        look: &Look,
        threads: usize,
        intake: Option<&Counters>,
        publishers: &[Arc<publishing::Counters>],
    ) -> Self {
        let Status { signed, leased, open, unbatched, lost, batches, keys, barred, nodes, .. } = &**look;
        let busy_share =
            look.signing_threads.filter(|_| threads > 0).map(|busy| (busy / threads as f64).min(1.0));
        Self {
            records: Records {
                signed: *signed,
                leased: *leased,
                open: *open,
                unbatched: *unbatched,
                lost: *lost,
            },
            batches: Batches {
                open: batches.open,
                leased: batches.leased,
                signed: batches.signed,
                lost: batches.lost,
            },
            keys: Keys {
                active: keys.active,
                disabled: keys.disabled,
                suspended: keys.suspended,
                retired: keys.retired,
                not_yet_valid: barred.not_yet_valid,
                expired: barred.expired,
                exhausted: barred.exhausted,
                unreachable: look.unreachable().map(|(_, keys)| keys).sum(),
            },
            ledger: look.ledger.as_ref().map(Ledger::from),
            refused: look.refused,
            intake: intake.map(Intake::of),
            publishers: publishers.iter().map(|counters| Publisher::of(counters)).collect(),
            nodes: nodes.len(),
            webhooks: look.webhooks.iter().map(Webhook::from).collect(),
            records_per_second: look.records_per_second,
            seconds_left: look.seconds_left(),
            busy_share,
            oldest_unsigned: look.oldest.as_ref().map(|oldest| Oldest {
                record_id: oldest.record.to_string(),
                created_at: oldest.created_at.clone(),
                age_seconds: oldest.age.as_secs_f64(),
            }),
            version: env!("CARGO_PKG_VERSION"),
        }
    }

    /// How far the work is, as it was within the last second.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn now(app: &App) -> Result<Self, Problem> {
        let (look, threads) = (app.status().await?, app.parts().signing_threads());
        Ok(Self::new(&look, threads, app.taking(), app.publishers()))
    }
}

/// How far the work is, as it was within the last second.
#[utoipa::path(
    get, path = "/v1/status", operation_id = "read_status", tag = "status",
    responses((status = 200, description = "The status", body = StatusBody))
)]
pub async fn status(app: Data<App>) -> Result<HttpResponse, Problem> {
    Ok(answer::ok(&StatusBody::now(&app).await?))
}
