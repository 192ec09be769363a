//! Where the brokers of a Kafka cluster are, and how they are spoken to.

use std::{sync::Arc, time::Duration};

use rdkafka::ClientConfig;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

use crate::brokers::{BadAddress, BrokerError, host_and_port, written};

/// How long any answer may take.
pub const ANSWERING: Duration = Duration::from_secs(10);

/// A cluster, and who is at it.
#[derive(Clone, PartialEq, Eq)]
pub struct Cluster {
    /// Brokers that tell which others there are, as `HOST:PORT`.
    brokers: Vec<String>,
    at_it: AtIt,
}

/// The right to have a client. It is there once for all clones of an address, so that clients which are slow to end do not
/// add up.
pub type Turn = OwnedSemaphorePermit;

#[derive(Clone)]
struct AtIt(Arc<Semaphore>);

/// An address is the same at any time.
impl PartialEq for AtIt {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for AtIt {}

const PORT: u16 = 9092;

/// Brokers that an address may name.
const MOST_BROKERS: usize = 16;

impl Cluster {
    /// Reads `HOST:PORT,HOST:PORT..`, what is between `kafka://` and the `?`.
    ///
    /// # Errors
    /// Says what is wrong, without any part of the address.
    pub fn parse(text: &str) -> Result<Self, BadAddress> {
        if text.contains('@') {
            return Err(BadAddress::PlainOnly);
        }
        let mut brokers = Vec::new();
        for place in text.strip_suffix('/').unwrap_or(text).split(',') {
            let (host, port) = host_and_port(place)?;
            brokers.push(written(&host, port.unwrap_or(PORT)));
        }
        brokers.sort_unstable();
        brokers.dedup();
        if brokers.len() > MOST_BROKERS {
            return Err(BadAddress::Unreadable);
        }
        Ok(Self { brokers, at_it: AtIt(Arc::new(Semaphore::new(1))) })
    }

    /// `HOST:PORT,HOST:PORT..`, in an order that does not depend on how the address is written.
    pub fn place(&self) -> String {
        self.brokers.join(",")
    }

    /// Waits until the client before has ended.
    ///
    /// # Errors
    /// That this takes longer than it should.
    pub async fn turn(&self) -> Result<Turn, BrokerError> {
        match timeout(ANSWERING, Arc::clone(&self.at_it.0).acquire_owned()).await {
            Ok(Ok(turn)) => Ok(turn),
            _ => Err(BrokerError("the connections before have not ended yet".to_owned())),
        }
    }

    /// What every client is told.
    fn config(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", self.place())
            .set("client.id", "signwave")
            .set("socket.timeout.ms", ANSWERING.as_millis().to_string())
            .set("socket.connection.setup.timeout.ms", ANSWERING.as_millis().to_string())
            .set("allow.auto.create.topics", "false")
            .set("enable.metrics.push", "false"); // brokers get no figures of this process
        config
    }

    /// What a consumer is told. A message is only acknowledged by a commit that names it.
    pub fn consumer(&self, group: &str) -> ClientConfig {
        let mut config = self.config();
        config
            .set("group.id", group)
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            .set("auto.offset.reset", "earliest")
            .set("isolation.level", "read_committed")
            // A process that was killed keeps its partitions for so long.
            .set("session.timeout.ms", "10000")
            .set("heartbeat.interval.ms", "2000")
            // Longer than a chunk is held while the database is away.
            .set("max.poll.interval.ms", "300000")
            // What waits in memory, besides the chunk that is being stored.
            .set("queued.max.messages.kbytes", "16384")
            .set("fetch.message.max.bytes", "1048576")
            .set("fetch.max.bytes", "8388608");
        config
    }

    /// What a producer is told. It is idempotent, so that its own repeats are in a topic once.
    pub fn producer(&self) -> ClientConfig {
        let mut config = self.config();
        config
            .set("acks", "all")
            .set("enable.idempotence", "true")
            // Less than the publisher waits for a confirm.
            .set("message.timeout.ms", "20000")
            .set("linger.ms", "0")
            .set("queue.buffering.max.kbytes", "16384");
        config
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_names_brokers_in_any_order() {
        for (text, place) in [
            ("h", "h:9092"),
            ("B:1,a/", "a:9092,b:1"),
            ("a,a:9092", "a:9092"),
            ("[::1]:80,10.0.0.1", "10.0.0.1:9092,[::1]:80"),
        ] {
            assert_eq!(Cluster::parse(text).map(|cluster| cluster.place()), Ok(place.to_owned()));
        }
    }

    #[test]
    fn a_wrong_address_is_refused_and_nothing_of_it_is_repeated() {
        let many = vec!["h:1"; 17].iter().enumerate().map(|(n, h)| format!("{h}{n}")).collect::<Vec<_>>();
        for text in ["", ",", "h,", "h:x", "h:65536", "h/secret", "[::1", "secret@h", "a:secret@h"]
            .into_iter()
            .chain([&*many.join(",")])
        {
            let Err(error) = Cluster::parse(text) else { panic!("{text} was accepted") };
            assert!(!error.to_string().contains("secret"), "{text}: {error}");
        }
    }
}
