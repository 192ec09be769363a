//! A topic, and the names that an address gives.

use rdkafka::{
    consumer::{Consumer, ConsumerContext},
    error::RDKafkaErrorCode,
};

use super::{client::said, cluster::ANSWERING};
use crate::brokers::{BadAddress, BrokerError};

/// Finds a topic, without making it. A broker keeps what it acknowledges in the memory of its operating system, and relies on
/// copies at other brokers. So there is a warning about a topic without copies.
///
/// # Errors
/// That there is none, or that no broker tells.
pub fn find_topic<C: ConsumerContext>(client: &impl Consumer<C>, name: &str) -> Result<(), BrokerError> {
    let metadata = client.fetch_metadata(Some(name), ANSWERING);
    let metadata = metadata.map_err(|error| match error.rdkafka_error_code() {
        Some(RDKafkaErrorCode::BrokerTransportFailure | RDKafkaErrorCode::OperationTimedOut) => {
            BrokerError(format!("no broker answers within {} s", ANSWERING.as_secs()))
        }
        _ => said(&error),
    })?;
    let found = metadata.topics().iter().find(|topic| topic.name() == name);
    let error = found.map(|topic| topic.error().map(RDKafkaErrorCode::from));
    match (found, error) {
        (Some(topic), Some(None)) if !topic.partitions().is_empty() => {
            if topic.partitions().iter().any(|partition| partition.replicas().len() < 2) {
                log::warn!(
                    "the topic {name} has no second copy of its messages: a loss of power undoes what a broker has acknowledged last"
                );
            }
            Ok(())
        }
        (_, Some(Some(error))) if error != RDKafkaErrorCode::UnknownTopicOrPartition => Err(said(&error)),
        _ => Err(BrokerError(format!("there is no topic {name}: make it first"))),
    }
}

/// Checks the name of a topic.
///
/// # Errors
/// [`BadAddress::Value`] when it cannot be one.
pub fn check_topic(name: &str) -> Result<(), BadAddress> {
    let is_fit = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    if (1..=249).contains(&name.len()) && name.chars().all(is_fit) && ![".", ".."].contains(&name) {
        Ok(())
    } else {
        Err(BadAddress::Value("topic", "1 to 249 letters, digits, '.', '_' and '-'"))
    }
}

/// Checks the name of a group or of a header, the value of an option.
///
/// # Errors
/// [`BadAddress::Value`] when it is empty, too long or not printable.
pub fn check_printed(option: &'static str, name: &str) -> Result<(), BadAddress> {
    if (1..=255).contains(&name.len()) && !name.chars().any(char::is_control) {
        Ok(())
    } else {
        Err(BadAddress::Value(option, "1 to 255 bytes without control characters"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_that_kafka_takes() {
        let (long, longer) = ("x".repeat(250), "x".repeat(256));
        assert!(["a", "A.b_1-", "..."].iter().all(|name| check_topic(name).is_ok()));
        assert!(
            ["", ".", "..", "a b", "ä", "a/b", "a,b", &long].iter().all(|name| check_topic(name).is_err())
        );
        assert!(["a", "a b", "ä/1"].iter().all(|name| check_printed("group", name).is_ok()));
        assert!(["", "a\n", &longer].iter().all(|name| check_printed("id", name).is_err()));
    }
}
