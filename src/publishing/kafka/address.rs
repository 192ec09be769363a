//! Which topic.

use crate::{
    brokers::{
        BadAddress, Query,
        kafka::{Cluster, check_topic},
    },
    publishing::options::Options,
};

/// A topic.
#[derive(Clone, PartialEq, Eq)]
pub struct Kafka {
    pub(super) cluster: Cluster,
    pub(super) topic: String,
    name: String,
}

impl Kafka {
    /// Reads `HOST:PORT,..?topic=NAME&..`, what is behind `kafka://`.
    ///
    /// # Errors
    /// Says what is wrong, without any part of the address.
    pub fn parse(text: &str) -> Result<(Self, Options), BadAddress> {
        let (head, query) = text.split_once('?').unwrap_or((text, ""));
        let mut query = Query::parse(query, "topic, from and name")?;
        let topic = query.take("topic").ok_or(BadAddress::Missing("topic: add ?topic=NAME"))?;
        let options = Options::take(&mut query)?;
        query.end()?;
        let cluster = Cluster::parse(head)?;
        check_topic(&topic)?;
        let name = options.named(format!("kafka://{}?topic={topic}", cluster.place()))?;
        Ok((Self { cluster, topic, name }, options))
    }

    /// See [`Publisher::destination`](crate::publishing::Publisher::destination).
    pub fn name(&self) -> &str {
        &self.name
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::publishing::{Address, From};

    fn parse(text: &str) -> Result<(Kafka, Options), BadAddress> {
        match text.parse::<Address>()? {
            Address::Kafka(broker, options) => Ok((*broker, options)),
            other => panic!("{other} is another broker"),
        }
    }

    #[test]
    fn an_address_names_a_topic_and_its_position_is_kept_whatever_the_order_of_the_brokers() {
        for (text, name) in [
            ("kafka://B:1,a?topic=out", "kafka://a:9092,b:1?topic=out"),
            ("kafka://a:9092,b:1/?from=now&topic=out", "kafka://a:9092,b:1?topic=out"),
            ("kafka://h?topic=out&name=all", "publish:all"),
        ] {
            let Ok((broker, options)) = parse(text) else { panic!("{text}") };
            assert_eq!((&*broker.topic, broker.name()), ("out", name));
            assert_eq!(options.from == From::Now, text.contains("from=now"));
        }
    }

    #[test]
    fn a_wrong_address_is_refused_and_nothing_of_it_is_repeated() {
        for text in ["kafka://", "kafka://h", "kafka://?topic=t", "kafka://h?topic=", "kafka://h?topic=a%2Fb"]
            .into_iter()
            .chain([
                "kafka://a:secret@h?topic=t",
                "kafka://h?topic=t&group=secret",
                "kafkas://secret?topic=t",
            ])
            .chain(["kafka://h?topic=t&from=secret", "kafka://h?topic=t&ca=secret"])
        {
            let Err(error) = parse(text) else { panic!("{text} was accepted") };
            assert!(!error.to_string().contains("secret"), "{text}: {error}");
        }
    }
}
