//! Which consumer of which stream, and how many messages of it are under way.

use crate::{
    brokers::{
        BadAddress, Query,
        nats::{Endpoint, check_name},
    },
    intake::options::Options,
};

/// A consumer of a stream. It has no `Debug`, because it holds the password.
#[derive(Clone, PartialEq, Eq)]
pub struct Nats {
    pub(super) endpoint: Endpoint,
    pub(super) stream: String,
    pub(super) consumer: String,
    /// The messages that wait in memory, at most.
    pub(super) prefetch: u16,
    source: String,
}

impl Nats {
    /// Reads `USER:PASSWORD@HOST:PORT?stream=NAME&consumer=NAME&..`, what is behind `nats://` or, with TLS, `tls://`.
    ///
    /// # Errors
    /// Says what is wrong, without any part of the address.
    pub fn parse(is_encrypted: bool, text: &str) -> Result<(Self, Options), BadAddress> {
        let (head, query) = text.split_once('?').unwrap_or((text, ""));
        let mut query = Query::parse(query, "stream, consumer, prefetch, body, without-id and ca")?;
        let stream = query.take("stream").ok_or(BadAddress::Missing("stream: add ?stream=NAME"))?;
        let consumer = query.take("consumer").ok_or(BadAddress::Missing("consumer: add &consumer=NAME"))?;
        let prefetch = Options::take_prefetch(&mut query)?;
        let options = Options::take(&mut query)?;
        let endpoint = Endpoint::parse(is_encrypted, head, &mut query)?;
        query.end()?;
        check_name("stream", &stream)?;
        check_name("consumer", &consumer)?;
        // The consumer is left out, because a message is the same for each consumer of its stream.
        let source = format!("nats:{stream}");
        Ok((Self { endpoint, stream, consumer, prefetch, source }, options))
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

    fn parse(text: &str) -> Result<(Nats, Options), BadAddress> {
        match text.parse::<Address>()? {
            Address::Nats(broker, options) => Ok((*broker, options)),
            other => panic!("{other} is another broker"),
        }
    }

    #[test]
    fn an_address_says_which_consumer_and_how_its_messages_become_records() {
        let (broker, options) =
            parse("tls://a:b@h?stream=in&consumer=c&prefetch=7&body=json&without-id=accept&ca=x.pem")
                .unwrap_or_else(|error| panic!("{error}"));
        assert_eq!((&*broker.stream, &*broker.consumer, broker.prefetch), ("in", "c", 7));
        assert_eq!(options, Options { form: Form::Json, without_id: WithoutId::Accept });
        let Ok((broker, options)) = parse("nats://h?stream=s&consumer=c") else { panic!("it is short") };
        assert_eq!(
            (broker.source(), broker.prefetch, options),
            ("nats:s", Options::PREFETCH, Options::default())
        );
    }

    #[test]
    fn a_wrong_address_is_refused_and_nothing_of_it_is_repeated() {
        for text in
            ["nats:", "nats://", "nats://h", "nats://h?stream=s", "nats://h?consumer=c", "nats://?stream=s"]
                .into_iter()
                .chain(["nats://a:secret@h?stream=s&consumer=c&secret=1", "nats://h?stream=a.b&consumer=c"])
                .chain(["nats://h?stream=s&consumer=", "nats://h?stream=s&consumer=*"])
                .chain(["nats://h?stream=s&consumer=c&prefetch=0", "nats://h?stream=s&consumer=c&ca=x"])
                .chain([
                    "nats://a:secret@h?stream=s&consumer=c&body=secret",
                    "nats://h/v?stream=s&consumer=c",
                ])
        {
            let Err(error) = parse(text) else { panic!("{text} was accepted") };
            assert!(!error.to_string().contains("secret"), "{text}: {error}");
        }
    }

    #[test]
    fn an_address_is_shown_without_its_password() {
        let address: Address = "nats://ada:secret@h?stream=s&consumer=c".parse().unwrap();
        assert_eq!([address.to_string(), format!("{address:?}")], ["nats:s", "nats:s"]);
    }
}
