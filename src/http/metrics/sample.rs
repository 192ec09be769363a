//! Samples: values that are read when Prometheus asks.

use std::fmt;

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet},
    metrics::MetricType,
};

use crate::actors::Timings;

/// Values that were read for one scrape.
#[derive(Debug)]
pub struct Samples(pub Vec<Sample>);

/// One metric with its value.
#[derive(Debug)]
pub struct Sample {
    /// The name, without the prefix; that of a counter without `_total`, too.
    pub name: &'static str,
    /// What it means.
    pub help: &'static str,
    /// Its value.
    pub value: Value,
}

/// Labels and their values.
pub type Labels = Vec<(&'static str, String)>;

/// The value of a metric.
#[derive(Debug)]
pub enum Value {
    /// It only rises.
    Counter(f64),
    /// It rises and falls.
    Gauge(f64),
    /// One gauge for each value of the label.
    Gauges(&'static str, Vec<(&'static str, f64)>),
    /// The same, for values of the label that are only known now.
    Named(&'static str, Vec<(String, f64)>),
    /// One counter for each value of the label.
    Counters(&'static str, Vec<(&'static str, f64)>),
    /// One gauge for each of several labels together.
    GaugeSeries(Vec<(Labels, f64)>),
    /// One counter for each of several labels together.
    CounterSeries(Vec<(Labels, f64)>),
    /// A gauge of 1 whose label says something.
    Info(&'static str, &'static str),
    /// A histogram in seconds.
    Histogram(Timings),
    /// One histogram in seconds for each value of the label.
    Histograms(&'static str, Vec<(&'static str, Timings)>),
}

impl Collector for Samples {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|sample| sample.encode(&mut encoder))
    }
}

impl Sample {
    fn encode(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let kind = match self.value {
            Value::Counter(_) | Value::Counters(..) | Value::CounterSeries(_) => MetricType::Counter,
            Value::Gauge(_)
            | Value::Gauges(..)
            | Value::Named(..)
            | Value::GaugeSeries(_)
            | Value::Info(..) => MetricType::Gauge,
            Value::Histogram(_) | Value::Histograms(..) => MetricType::Histogram,
        };
        let mut metric = encoder.encode_descriptor(self.name, self.help, None, kind)?;
        match &self.value {
            Value::Counter(value) => metric.encode_counter::<NoLabelSet, f64, f64>(value, None),
            Value::Gauge(value) => metric.encode_gauge(value),
            Value::Gauges(label, values) => values
                .iter()
                .try_for_each(|(name, value)| metric.encode_family(&[(*label, *name)])?.encode_gauge(value)),
            Value::Named(label, values) => values.iter().try_for_each(|(name, value)| {
                metric.encode_family(&[(*label, name.as_str())])?.encode_gauge(value)
            }),
            Value::Counters(label, values) => values.iter().try_for_each(|(name, value)| {
                metric.encode_family(&[(*label, *name)])?.encode_counter::<NoLabelSet, f64, f64>(value, None)
            }),
            Value::GaugeSeries(series) => series
                .iter()
                .try_for_each(|(labels, value)| metric.encode_family(labels)?.encode_gauge(value)),
            Value::CounterSeries(series) => series.iter().try_for_each(|(labels, value)| {
                metric.encode_family(labels)?.encode_counter::<NoLabelSet, f64, f64>(value, None)
            }),
            Value::Info(label, name) => metric.encode_family(&[(*label, *name)])?.encode_gauge(&1),
            Value::Histogram(timings) => histogram(&mut metric, timings),
            Value::Histograms(label, all) => all.iter().try_for_each(|(name, timings)| {
                histogram(&mut metric.encode_family(&[(*label, *name)])?, timings)
            }),
        }
    }
}

fn histogram(metric: &mut MetricEncoder<'_>, timings: &Timings) -> fmt::Result {
    let Timings { seconds, buckets } = timings;
    metric.encode_histogram::<NoLabelSet>(*seconds, timings.count(), buckets, None)
}
