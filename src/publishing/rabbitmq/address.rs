//! Which queue or exchange.

use crate::{
    brokers::{
        BadAddress, Query, escaped,
        rabbitmq::{Endpoint, check_name},
        written,
    },
    publishing::options::Options,
};

/// A queue, or an exchange with a routing key. It has no `Debug`, because it holds the password.
#[derive(Clone, PartialEq, Eq)]
pub struct RabbitMq {
    pub(super) endpoint: Endpoint,
    /// Empty for the default exchange, which takes the name of a queue as routing key.
    pub(super) exchange: String,
    pub(super) routing_key: String,
    name: String,
}

impl RabbitMq {
    /// Reads `USER:PASSWORD@HOST:PORT/VHOST?queue=NAME&..`, or `?exchange=NAME&routing-key=KEY&..`: what is behind
    /// `amqp://` or, with TLS, `amqps://`.
    ///
    /// # Errors
    /// Says what is wrong, without any part of the address.
    pub fn parse(is_encrypted: bool, text: &str) -> Result<(Self, Options), BadAddress> {
        let (head, query) = text.split_once('?').unwrap_or((text, ""));
        let mut query = Query::parse(query, "queue, or exchange and routing-key, and from, name and ca")?;
        let mut given = |name: &str| query.take(name).filter(|value| !value.is_empty());
        let (exchange, routing_key) = match (given("queue"), given("exchange"), given("routing-key")) {
            (Some(queue), None, None) => (String::new(), queue),
            (None, Some(exchange), routing_key) => (exchange, routing_key.unwrap_or_default()),
            _ => {
                let missing = "one destination: add ?queue=NAME, or ?exchange=NAME&routing-key=KEY";
                return Err(BadAddress::Missing(missing));
            }
        };
        let options = Options::take(&mut query)?;
        let endpoint = Endpoint::parse(is_encrypted, head, &mut query)?;
        query.end()?;
        check_name("exchange", &exchange)?;
        check_name(if exchange.is_empty() { "queue" } else { "routing-key" }, &routing_key)?;
        let name = options.named(destination(&endpoint, &exchange, &routing_key))?;
        Ok((Self { endpoint, exchange, routing_key, name }, options))
    }

    /// See [`Publisher::destination`](crate::publishing::Publisher::destination).
    pub fn name(&self) -> &str {
        &self.name
    }
}

/// The address without the user and what may change for the same destination.
fn destination(endpoint: &Endpoint, exchange: &str, routing_key: &str) -> String {
    let vhost = if endpoint.vhost() == "/" { String::new() } else { escaped(endpoint.vhost()) };
    let place = format!("amqp://{}/{vhost}", written(endpoint.host(), endpoint.port()));
    match exchange {
        "" => format!("{place}?queue={}", escaped(routing_key)),
        _ => format!("{place}?exchange={}&routing-key={}", escaped(exchange), escaped(routing_key)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::publishing::{Address, From};

    fn parse(text: &str) -> Result<(RabbitMq, Options), BadAddress> {
        match text.parse::<Address>()? {
            Address::RabbitMq(broker, options) => Ok((*broker, options)),
            other => panic!("{other} is another broker"),
        }
    }

    #[test]
    fn an_address_names_a_queue_or_an_exchange_and_its_position_is_kept_without_the_user() {
        for (text, exchange, routing_key, name) in [
            ("amqp://a:b@MQ.example?queue=out", "", "out", "amqp://mq.example:5672/?queue=out"),
            ("amqps://a:c@mq.example/%2f?queue=out", "", "out", "amqp://mq.example:5671/?queue=out"),
            (
                "amqp://[::1]:80/a%2Fb?exchange=e%26&routing-key=k",
                "e&",
                "k",
                "amqp://[::1]:80/a%2Fb?exchange=e%26&routing-key=k",
            ),
            ("amqp://h?exchange=e&name=all", "e", "", "publish:all"),
        ] {
            let Ok((broker, options)) = parse(text) else { panic!("{text}") };
            assert_eq!(
                (&*broker.exchange, &*broker.routing_key, broker.name()),
                (exchange, routing_key, name)
            );
            assert_eq!(options.from, From::Start);
        }
        assert_eq!(parse("amqp://h?queue=q&from=now").map(|(_, options)| options.from), Ok(From::Now));
    }

    #[test]
    fn a_wrong_address_is_refused_and_nothing_of_it_is_repeated() {
        let long = format!("amqp://h?queue={}", "q".repeat(256));
        let too_long_for_a_name =
            format!("amqp://h/{}?exchange={}&routing-key=%20", "%20".repeat(255), "%20".repeat(255));
        for text in
            ["", "amqp://", "http://h?queue=q", "amqp://h", "amqp://h?queue=", "amqp://h?routing-key=k"]
                .into_iter()
                .chain([
                    "amqp://a:secret@h?queue=q&exchange=e",
                    "amqp://a:secret@h?queue=q&routing-key=secret",
                ])
                .chain(["amqp://a:secret@h?queue=q&from=secret", "amqp://a:secret@h?queue=q&secret=1"])
                .chain(["amqp://h?queue=q&prefetch=1", "amqp://h?queue=q&name=", "amqp://h?queue=q&name=a:b"])
                .chain([&*long, &*too_long_for_a_name])
        {
            let Err(error) = parse(text) else { panic!("{text} was accepted") };
            assert!(!error.to_string().contains("secret"), "{text}: {error}");
        }
        assert!(parse(&format!("{too_long_for_a_name}&name=short")).is_ok());
    }

    #[test]
    fn an_address_is_shown_without_its_password() {
        let address: Address = "amqp://ada:secret@h/v?queue=q".parse().unwrap();
        let shown = "amqp://h:5672/v?queue=q";
        assert_eq!([address.to_string(), format!("{address:?}")], [shown, shown]);
    }
}
