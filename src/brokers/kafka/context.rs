//! What librdkafka says unasked: errors that end a session, the log, and which partitions are whose.

use std::sync::{
    Arc, Mutex, OnceLock, PoisonError,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use rdkafka::{
    ClientContext,
    config::RDKafkaLogLevel,
    consumer::{BaseConsumer, ConsumerContext, Rebalance},
    error::{KafkaError, RDKafkaErrorCode},
};

use super::client::said;
use crate::{brokers::BrokerError, formats::shown::field};

/// What is known of a client. Clones are of the same client.
#[derive(Clone, Default)]
pub struct Context(Arc<State>);

#[derive(Default)]
struct State {
    over: OnceLock<BrokerError>,
    /// What is wrong with the broker that failed last.
    trouble: Mutex<Option<String>>,
    assignment: AtomicU64,
}

impl Context {
    /// Of what a client has to tell, so much is asked for when it could not connect.
    pub const TOLD: usize = 100;

    /// Whether the session lasts.
    ///
    /// # Errors
    /// Why it is over.
    pub fn check(&self) -> Result<(), BrokerError> {
        self.0.over.get().map_or(Ok(()), |why| Err(why.clone()))
    }

    /// What is wrong with the broker that failed last, to be put behind another error.
    pub fn explain(&self, error: BrokerError) -> BrokerError {
        match &*self.0.trouble.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(trouble) => BrokerError(format!("{error} ({trouble})")),
            None => error,
        }
    }

    /// A number that changes whenever partitions are taken away.
    pub fn assignment(&self) -> u64 {
        self.0.assignment.load(Relaxed)
    }
}

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, text: &str) {
        let (facility, text) = (field(facility), field(text));
        match level {
            // An error comes as such, too.
            RDKafkaLogLevel::Warning => log::warn!("Kafka: {facility}: {text}"),
            _ => log::debug!("Kafka: {facility}: {text}"),
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        match error.rdkafka_error_code() {
            Some(RDKafkaErrorCode::PartitionEOF) => {}
            // The library connects again, to this broker or to another one.
            Some(RDKafkaErrorCode::BrokerTransportFailure | RDKafkaErrorCode::Resolve) => {
                let trouble = field(reason);
                log::debug!("Kafka: {trouble}");
                *self.0.trouble.lock().unwrap_or_else(PoisonError::into_inner) = Some(trouble);
            }
            _ => {
                let why = self.explain(if reason.is_empty() { said(&error) } else { said(&reason) });
                let _ = self.0.over.set(why); // the first one says most
            }
        }
    }
}

impl ConsumerContext for Context {
    fn pre_rebalance(&self, _: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        if let Rebalance::Assign(partitions) = rebalance {
            log::debug!("Kafka: {} partitions are taken from", partitions.count());
        } else {
            self.0.assignment.fetch_add(1, Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broker_that_is_away_ends_no_session_but_explains_the_end() {
        let context = Context::default();
        let report = |code, reason| context.error(KafkaError::Global(code), reason);
        report(RDKafkaErrorCode::BrokerTransportFailure, "h:1: refused\n");
        report(RDKafkaErrorCode::PartitionEOF, "the end");
        assert_eq!(context.check(), Ok(()));
        report(RDKafkaErrorCode::AllBrokersDown, "1/1 brokers are down");
        report(RDKafkaErrorCode::Fatal, "later");
        let why = context.check().unwrap_err().to_string();
        assert!(why.contains("1/1 brokers are down (h:1: refused") && !why.contains("later"), "{why}");
        assert!(!why.contains('\n'));
    }
}
