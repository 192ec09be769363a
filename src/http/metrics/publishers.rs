//! The values of the publishers of this process.

use std::sync::Arc;

use super::sample::{Labels, Sample, Value};
use crate::publishing::{Counters, State};

/// What the publishers do; nothing where there is none.
pub fn samples(publishers: &[Arc<Counters>]) -> Vec<Sample> {
    if publishers.is_empty() {
        return Vec::new();
    }
    let labels =
        |publisher: &Counters| -> Labels { vec![("destination", publisher.destination().to_owned())] };
    let each = |value: fn(&Counters) -> Option<f64>| -> Vec<(Labels, f64)> {
        publishers.iter().filter_map(|publisher| Some((labels(publisher), value(publisher)?))).collect()
    };
    let states = publishers.iter().flat_map(|publisher| {
        State::ALL.map(|state| {
            let labels = [labels(publisher), vec![("state", state.name().to_owned())]].concat();
            (labels, f64::from(publisher.state() == state))
        })
    });
    let gauge = |name, help, series| Sample { name, help, value: Value::GaugeSeries(series) };
    let counter = |name, help, series| Sample { name, help, value: Value::CounterSeries(series) };
    vec![
        gauge(
            "publisher_state",
            "What each publisher of this process is at: 1 for the state in which it is",
            states.collect(),
        ),
        gauge(
            "publisher_position",
            "The place of the feed up to which everything is confirmed, at the node that publishes",
            each(|publisher| Some(publisher.position()?.place.0 as f64)),
        ),
        gauge(
            "publisher_lag_batches",
            "Batches of the feed behind that place, at the node that publishes",
            each(|publisher| publisher.lag().map(|batches| batches as f64)),
        ),
        gauge(
            "publisher_down_seconds",
            "For how long nothing can be published; 0 while nothing is wrong",
            each(|publisher| Some(publisher.down_for().unwrap_or_default().as_secs_f64())),
        ),
        counter(
            "publisher_connections",
            "Connections of each publisher to its broker",
            each(|publisher| Some(publisher.connections() as f64)),
        ),
        counter(
            "publisher_messages",
            "Messages that the broker has confirmed, counted each time they are sent",
            each(|publisher| Some(publisher.messages() as f64)),
        ),
        counter(
            "publisher_signatures",
            "Signatures in these messages",
            each(|publisher| Some(publisher.signatures() as f64)),
        ),
    ]
}
