//! The values of one scrape: of this process, and of the database.

use super::{
    super::{app::App, snapshot::Look},
    publishers,
    sample::{Sample, Value},
};
use crate::{
    actors::{Counters, Vitals, messages::FailureReason},
    domain::{Refusal, WebhookState},
    intake,
    store::{Status, WebhookRow},
    webhooks,
};

/// Reads all values. Those of the database are missing while it does not answer, so that old ones are not taken for
/// new ones.
pub async fn samples(app: &App) -> Vec<Sample> {
    let status = app.status().await.ok();
    let mut samples = of_counters(app.counters());
    samples.extend(of_vitals(app.vitals(), app.parts().signing_threads()));
    samples.extend(of_batches(app.counters(), app.vitals()));
    samples.extend(of_certificate(app));
    samples.extend(app.taking().map(of_intake).into_iter().flatten());
    samples.extend(publishers::samples(app.publishers()));
    samples.extend(app.sending().map(of_sending).into_iter().flatten());
    samples.push(Sample {
        name: "build_info",
        help: "The version of the service",
        value: Value::Info("version", env!("CARGO_PKG_VERSION")),
    });
    samples.push(gauge("database_up", "Whether the database answered", f64::from(status.is_some())));
    samples.extend(status.iter().flat_map(|look| of_look(look)));
    samples.extend(status.iter().filter_map(|look| of_anchors(look)));
    samples.extend(status.iter().flat_map(|look| of_webhooks(&look.webhooks)));
    samples
}

fn of_counters(counters: &Counters) -> Vec<Sample> {
    vec![
        counter("records_signed", "Records whose signatures this process stored", counters.signed()),
        counter("batches_committed", "Batches that this process stored", counters.batches()),
        counter(
            "batches_fenced",
            "Batches whose signatures were dropped because the lease had ended",
            counters.fenced(),
        ),
        Sample {
            name: "batches_failed",
            help: "Batches that were not signed",
            value: Value::Counters(
                "reason",
                FailureReason::ALL.map(|reason| (reason.name(), counters.failed_for(reason) as f64)).into(),
            ),
        },
        histogram(
            "commit_seconds",
            "Time to store a group of signed batches, with all attempts",
            counters.commit_times().read(),
        ),
    ]
}

fn of_vitals(vitals: &Vitals, threads: usize) -> Vec<Sample> {
    let mut samples = vec![
        counter("outages", "Database operations that failed because the database was away", vitals.outages()),
        gauge("lease_held", "Whether this process holds a lease as a node", f64::from(vitals.holds_lease())),
        gauge("signing_threads", "Signing threads of this process", threads as f64),
        Sample {
            name: "signing_busy_seconds",
            help: "Time that the signing threads spent on signatures, added up over all threads",
            value: Value::Counter(vitals.signing_time().as_secs_f64()),
        },
    ];
    samples.extend(vitals.times_per_record().map(|times| {
        histogram("sign_seconds_per_record", "Time for one signature, for each group of signatures", times)
    }));
    samples
}

/// How long batches of this process took. The phases follow each other.
fn of_batches(counters: &Counters, vitals: &Vitals) -> Option<Sample> {
    let (wait, sign) = vitals.times_per_batch()?;
    let store = counters.batch_commit_times().read();
    Some(Sample {
        name: "batch_seconds",
        help: "Time for which batches waited for a signing thread, were signed, and were stored",
        value: Value::Histograms("phase", vec![("wait", wait), ("sign", sign), ("commit", store)]),
    })
}

fn of_certificate(app: &App) -> Option<Sample> {
    let help = "When the server's certificate expires, in seconds since 1970";
    let expires_at = app.certificate()?.expires_at().as_secs_f64();
    Some(gauge("tls_expiry_timestamp_seconds", help, expires_at))
}

/// What this process has taken from a broker.
fn of_intake(counters: &intake::Counters) -> Vec<Sample> {
    let is = |state| f64::from(counters.state() == state);
    vec![
        Sample {
            name: "intake_state",
            help: "What the intake of this process is at: 1 for the state in which it is",
            value: Value::Gauges("state", intake::State::ALL.map(|state| (state.name(), is(state))).into()),
        },
        counter("intake_connections", "Connections of the intake to its broker", counters.connections()),
        counter("intake_records", "Messages that became records", counters.stored()),
        counter("intake_repeated", "Messages that were records already", counters.repeated()),
        Sample {
            name: "intake_refused",
            help: "Messages that were refused, counted each time they arrive",
            value: Value::Counters(
                "reason",
                Refusal::ALL.map(|reason| (reason.name(), counters.refused_for(reason) as f64)).into(),
            ),
        },
        counter("intake_acknowledged", "Messages that were acknowledged", counters.acknowledged()),
    ]
}

/// What this process has sent to webhooks.
fn of_sending(counters: &webhooks::Counters) -> Vec<Sample> {
    let outcomes = vec![("delivered", counters.delivered() as f64), ("failed", counters.failed() as f64)];
    vec![
        Sample {
            name: "webhook_messages",
            help: "Messages that this process sent to webhooks",
            value: Value::Counters("outcome", outcomes),
        },
        counter("webhooks_disabled", "Webhooks that this process disabled", counters.disabled()),
    ]
}

/// How far the anchors of this process are behind.
fn of_anchors(look: &Look) -> Option<Sample> {
    let (ledger, anchored) = look.ledger.as_ref().zip(look.anchored)?;
    let help = "Entries of the ledger that the anchors of this process do not know yet";
    Some(gauge("anchor_lag_entries", help, ledger.head.size.saturating_sub(anchored) as f64))
}

/// How each webhook is: values of the whole database. There are none where there are no webhooks.
fn of_webhooks(webhooks: &[WebhookRow]) -> Vec<Sample> {
    let named = |name, help, value: fn(&WebhookRow) -> f64| {
        let values = webhooks.iter().map(|row| (row.name.to_string(), value(row))).collect();
        Sample { name, help, value: Value::Named("webhook", values) }
    };
    if webhooks.is_empty() {
        return Vec::new();
    }
    vec![
        named("webhook_enabled", "Whether messages are sent to the webhook", |row| {
            f64::from(row.state == WebhookState::Enabled)
        }),
        named("webhook_lag_batches", "Signed batches behind the position of the webhook", |row| {
            row.lag as f64
        }),
        named("webhook_failures", "Messages to the webhook that failed in a row", |row| row.failures as f64),
    ]
}

/// Values of the whole database: every node shows the same ones.
fn of_look(look: &Look) -> Vec<Sample> {
    let Status { refused, nodes, .. } = &**look;
    let mut samples = by_state(look);
    samples.extend([
        gauge("refused_messages", "Messages that are refused, counted up to 100,000", *refused as f64),
        gauge(
            "ledger_entries",
            "Entries of the ledger",
            look.ledger.as_ref().map_or(0.0, |ledger| ledger.head.size as f64),
        ),
        gauge(
            "ledger_halted",
            "Whether nothing is formed, leased or signed, because the database is older than what was shown of it",
            f64::from(look.ledger.as_ref().is_some_and(|ledger| ledger.halted.is_some())),
        ),
        gauge("nodes", "Processes that are registered as nodes", nodes.len() as f64),
        gauge(
            "oldest_unsigned_seconds",
            "How long the oldest record that is not signed has waited, in seconds; 0 if none waits",
            look.oldest.as_ref().map_or(0.0, |oldest| oldest.age.as_secs_f64()),
        ),
    ]);
    samples
}

/// How many records, batches and keys are in each state.
fn by_state(look: &Look) -> Vec<Sample> {
    let Status { signed, leased, open, unbatched, lost, batches, keys, barred, .. } = &**look;
    vec![
        gauges(
            "records",
            "Records in each state",
            &[
                ("unbatched", *unbatched),
                ("open", *open),
                ("leased", *leased),
                ("signed", *signed),
                ("lost", *lost),
            ],
        ),
        gauges(
            "batches",
            "Batches in each state",
            &[
                ("open", batches.open),
                ("leased", batches.leased),
                ("signed", batches.signed),
                ("lost", batches.lost),
            ],
        ),
        gauges(
            "keys",
            "Keys in each state",
            &[
                ("active", keys.active),
                ("disabled", keys.disabled),
                ("suspended", keys.suspended),
                ("retired", keys.retired),
            ],
        ),
        gauges(
            "keys_barred",
            "Active keys that may not sign now because of their limits",
            &[
                ("not-yet-valid", barred.not_yet_valid),
                ("expired", barred.expired),
                ("exhausted", barred.exhausted),
            ],
        ),
    ]
}

fn counter(name: &'static str, help: &'static str, value: u64) -> Sample {
    Sample { name, help, value: Value::Counter(value as f64) }
}

fn gauge(name: &'static str, help: &'static str, value: f64) -> Sample {
    Sample { name, help, value: Value::Gauge(value) }
}

fn gauges(name: &'static str, help: &'static str, values: &[(&'static str, u64)]) -> Sample {
    let values = values.iter().map(|(state, value)| (*state, *value as f64)).collect();
    Sample { name, help, value: Value::Gauges("state", values) }
}

fn histogram(name: &'static str, help: &'static str, timings: crate::actors::Timings) -> Sample {
    Sample { name, help, value: Value::Histogram(timings) }
}
