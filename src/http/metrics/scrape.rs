//! The values of one scrape: of this process, and of the database.

use super::{
    super::app::App,
    sample::{Sample, Value},
};
use crate::{
    actors::{Counters, Vitals},
    store::Status,
};

/// Reads all values. Those of the database are missing while it does not answer, so that old ones are not taken for
/// new ones.
pub async fn samples(app: &App) -> Vec<Sample> {
    let status = app.status().await.ok();
    let mut samples = of_counters(app.counters());
    samples.extend(of_vitals(app.vitals(), app.parts().signing_threads()));
    samples.push(gauge("database_up", "Whether the database answered", f64::from(status.is_some())));
    samples.extend(status.iter().flat_map(|status| of_status(status)));
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
        counter("batches_failed", "Batches that a key failed to sign", counters.failed()),
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

/// Values of the whole database: every node shows the same ones.
fn of_status(status: &Status) -> Vec<Sample> {
    let Status { signed, leased, open, unbatched, batches, keys, nodes } = status;
    vec![
        gauges(
            "records",
            "Records in each state",
            &[("unbatched", *unbatched), ("open", *open), ("leased", *leased), ("signed", *signed)],
        ),
        gauges(
            "batches",
            "Batches in each state",
            &[("open", batches.open), ("leased", batches.leased), ("signed", batches.signed)],
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
        gauge("nodes", "Processes that are registered as nodes", nodes.len() as f64),
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
