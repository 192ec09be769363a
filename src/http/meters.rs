//! Meters: the metrics of requests, which are kept from scrape to scrape. A route is its pattern, never a path, so
//! that their number is bounded.

use std::time::Duration;

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{
        counter::Counter,
        family::Family,
        gauge::Gauge,
        histogram::{Histogram, exponential_buckets},
    },
    registry::Registry,
};

/// The beginning of each metric's name.
pub const PREFIX: &str = "signwave";

/// What is counted of requests.
pub struct Meters {
    /// The same, as Prometheus reads it.
    pub registry: Registry,
    answered: Family<Answered, Counter>,
    seconds: Family<Route, Histogram, fn() -> Histogram>,
    in_flight: Gauge,
}

type Route = [(&'static str, &'static str); 2];

/// The labels of an answer.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Answered {
    route: &'static str,
    method: &'static str,
    status: u16,
}

impl Default for Meters {
    fn default() -> Self {
        let answered = Family::<Answered, Counter>::default();
        let histogram = || Histogram::new(exponential_buckets(0.0005, 2.0, 16));
        let seconds = Family::<Route, Histogram, fn() -> Histogram>::new_with_constructor(histogram);
        let (mut registry, in_flight) = (Registry::with_prefix(PREFIX), Gauge::default());
        registry.register("http_requests", "Requests that were answered", answered.clone());
        let help = "Time from the head of a request to the head of its answer";
        registry.register("http_request_seconds", help, seconds.clone());
        registry.register("http_requests_in_flight", "Requests that are being answered", in_flight.clone());
        Self { registry, answered, seconds, in_flight }
    }
}

impl Meters {
    /// Counts a request as being answered until the guard is dropped.
    pub fn begin(&self) -> InFlight {
        self.in_flight.inc();
        InFlight(self.in_flight.clone())
    }

    /// Counts an answer to a request for the pattern `route`.
    pub fn answered(&self, route: &'static str, method: &'static str, status: u16, took: Duration) {
        self.answered.get_or_create_owned(&Answered { route, method, status }).inc();
        self.seconds.get_or_create_owned(&[("route", route), ("method", method)]).observe(took.as_secs_f64());
    }
}

/// A request that is being answered.
pub struct InFlight(Gauge);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.dec();
    }
}
