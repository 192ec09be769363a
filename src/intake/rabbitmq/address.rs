//! Which queue, and how many messages of it are under way.

use crate::{
    brokers::{
        BadAddress, Query,
        rabbitmq::{Endpoint, check_name},
    },
    intake::options::Options,
};

/// A queue of RabbitMQ. It has no `Debug`, because it holds the password.
#[derive(Clone, PartialEq, Eq)]
pub struct RabbitMq {
    pub(super) endpoint: Endpoint,
    pub(super) queue: String,
    /// The messages that the broker sends ahead of their acknowledgement. They are in memory.
    pub(super) prefetch: u16,
    source: String,
}

impl RabbitMq {
    /// Reads `USER:PASSWORD@HOST:PORT/VHOST?queue=NAME&..`, what is behind `amqp://` or, with TLS, `amqps://`.
    ///
    /// # Errors
    /// Says what is wrong, without any part of the address.
    pub fn parse(is_encrypted: bool, text: &str) -> Result<(Self, Options), BadAddress> {
        let (head, query) = text.split_once('?').unwrap_or((text, ""));
        let mut query = Query::parse(query, "queue, prefetch, body, without-id and ca")?;
        let queue = query.take("queue").filter(|queue| !queue.is_empty());
        let queue = queue.ok_or(BadAddress::Missing("queue: add ?queue=NAME"))?;
        let prefetch = Options::take_prefetch(&mut query)?;
        let options = Options::take(&mut query)?;
        let endpoint = Endpoint::parse(is_encrypted, head, &mut query)?;
        query.end()?;
        check_name("queue", &queue)?;
        // The host is left out, because a queue is the same at each node of a cluster.
        let source = match endpoint.vhost() {
            "/" => format!("rabbitmq:{queue}"),
            vhost => format!("rabbitmq:{vhost}/{queue}"),
        };
        Ok((Self { endpoint, queue, prefetch, source }, options))
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

    fn parse(text: &str) -> Result<(RabbitMq, Options), BadAddress> {
        match text.parse::<Address>()? {
            Address::RabbitMq(broker, options) => Ok((*broker, options)),
            other => panic!("{other} is another broker"),
        }
    }

    #[test]
    fn an_address_says_which_queue_and_how_its_messages_become_records() {
        let (broker, options) =
            parse("amqps://a:b@h/a%2fb?queue=in%20box&prefetch=7&body=json&without-id=accept&ca=x.pem")
                .unwrap_or_else(|error| panic!("{error}"));
        assert_eq!((&*broker.queue, broker.prefetch), ("in box", 7));
        assert_eq!(options, Options { form: Form::Json, without_id: WithoutId::Accept });
        assert_eq!(broker.source(), "rabbitmq:a/b/in box");
        let Ok((broker, options)) = parse("amqp://h?queue=q") else { panic!("it is short") };
        assert_eq!(
            (broker.source(), broker.prefetch, options),
            ("rabbitmq:q", Options::PREFETCH, Options::default())
        );
    }

    #[test]
    fn a_wrong_address_is_refused_and_nothing_of_it_is_repeated() {
        for text in
            ["", "amqp:", "amqp://", "http://h?queue=q", "amqp://h", "amqp://h?queue=", "amqp://?queue=q"]
                .into_iter()
                .chain(["amqp://a:secret@h?queue=q&queue=r", "amqp://a:secret@h?queue=q&secret=1"])
                .chain(["amqp://h?queue=q&prefetch=0", "amqp://h?queue=q&prefetch=65536"])
                .chain(["amqp://h?queue=q&body=secret", "amqp://h?queue=q&without-id=secret"])
                .chain(["amqp://h?queue=%00", "amqp://h?queue=q&ca=x"])
        {
            let Err(error) = parse(text) else { panic!("{text} was accepted") };
            assert!(!error.to_string().contains("secret"), "{text}: {error}");
        }
    }

    #[test]
    fn an_address_is_shown_without_its_password() {
        let address: Address = "amqp://ada:secret@h/v?queue=q".parse().unwrap();
        assert_eq!([address.to_string(), format!("{address:?}")], ["rabbitmq:v/q", "rabbitmq:v/q"]);
    }
}
