//! Which topic, for which group, and which header names the messages.

use crate::{
    brokers::{
        BadAddress, Query,
        kafka::{Cluster, EVENT_ID, check_printed, check_topic},
    },
    intake::options::Options,
};

/// A topic, read for a group.
#[derive(Clone, PartialEq, Eq)]
pub struct Kafka {
    pub(super) cluster: Cluster,
    pub(super) topic: String,
    pub(super) group: String,
    /// The header that has the name of a message.
    pub(super) header: String,
    source: String,
}

impl Kafka {
    /// Reads `HOST:PORT,..?topic=NAME&group=NAME&..`, what is behind `kafka://`.
    ///
    /// # Errors
    /// Says what is wrong, without any part of the address.
    pub fn parse(text: &str) -> Result<(Self, Options), BadAddress> {
        let (head, query) = text.split_once('?').unwrap_or((text, ""));
        let mut query = Query::parse(query, "topic, group, id, body and without-id")?;
        let topic = query.take("topic").ok_or(BadAddress::Missing("topic: add ?topic=NAME"))?;
        let group = query.take("group").ok_or(BadAddress::Missing("group: add &group=NAME"))?;
        // Kafka has no field for a name, and the key is none: it is that of what the message is about, so that all updates of
        // one thing have the same.
        let header = query.take("id").unwrap_or_else(|| EVENT_ID.to_owned());
        let options = Options::take(&mut query)?;
        query.end()?;
        let cluster = Cluster::parse(head)?;
        check_topic(&topic)?;
        check_printed("group", &group)?;
        check_printed("id", &header)?;
        // The group is left out, because a message is the same for each of them.
        let source = format!("kafka:{topic}");
        Ok((Self { cluster, topic, group, header, source }, options))
    }

    /// See [`Broker::source`](crate::intake::Broker::source).
    pub fn source(&self) -> &str {
        &self.source
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::intake::{Address, Form, WithoutId};

    fn parse(text: &str) -> Result<(Kafka, Options), BadAddress> {
        match text.parse::<Address>()? {
            Address::Kafka(broker, options) => Ok((*broker, options)),
            other => panic!("{other} is another broker"),
        }
    }

    #[test]
    fn an_address_says_which_topic_and_how_its_messages_become_records() {
        let text = "kafka://b:1,a?topic=in&group=g%201&id=message_id&body=json&without-id=accept";
        let (broker, options) = parse(text).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!((&*broker.topic, &*broker.group, &*broker.header), ("in", "g 1", "message_id"));
        assert_eq!(broker.cluster.place(), "a:9092,b:1");
        assert_eq!(options, Options { form: Form::Json, without_id: WithoutId::Accept });
        let Ok((broker, options)) = parse("kafka://h?topic=t&group=g") else { panic!("it is short") };
        assert_eq!((broker.source(), &*broker.header, options), ("kafka:t", "ce_id", Options::default()));
    }

    #[test]
    fn a_wrong_address_is_refused_and_nothing_of_it_is_repeated() {
        for text in
            ["kafka://", "kafka://h", "kafka://h?topic=t", "kafka://h?group=g", "kafka://?topic=t&group=g"]
                .into_iter()
                .chain([
                    "kafka://h?topic=t%20u&group=g",
                    "kafka://h?topic=t&group=",
                    "kafka://h?topic=t&group=g&id=",
                ])
                .chain(["kafka://h?topic=t&group=g&prefetch=7", "kafka://h?topic=t&group=g&secret=1"])
                .chain(["kafka://h?topic=t&group=g&body=secret", "kafka://h/secret?topic=t&group=g"])
        {
            let Err(error) = parse(text) else { panic!("{text} was accepted") };
            assert!(!error.to_string().contains("secret"), "{text}: {error}");
        }
    }

    #[test]
    fn what_wants_tls_or_a_login_is_refused_in_plain_words() {
        for text in ["kafka://a:secret@h?topic=t&group=g", "kafka+ssl://h?topic=t&group=g", "kafkas://h"] {
            let error = text.parse::<Address>().unwrap_err();
            assert_eq!(error, BadAddress::PlainOnly);
            assert!(error.to_string().contains("TLS"), "{error}");
        }
    }
}
