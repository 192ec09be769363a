//! Which subject of which stream.

use crate::{
    brokers::{
        BadAddress, Query, escaped,
        nats::{Endpoint, check_name, check_subject},
    },
    publishing::options::Options,
};

/// A subject of a stream. It has no `Debug`, because it holds the password.
#[derive(Clone, PartialEq, Eq)]
pub struct Nats {
    pub(super) endpoint: Endpoint,
    pub(super) stream: String,
    pub(super) subject: String,
    name: String,
}

impl Nats {
    /// Reads `USER:PASSWORD@HOST:PORT?stream=NAME&subject=NAME&..`, what is behind `nats://` or, with TLS, `tls://`.
    ///
    /// # Errors
    /// Says what is wrong, without any part of the address.
    pub fn parse(is_encrypted: bool, text: &str) -> Result<(Self, Options), BadAddress> {
        let (head, query) = text.split_once('?').unwrap_or((text, ""));
        let mut query = Query::parse(query, "stream, subject, from, name and ca")?;
        let stream = query.take("stream").ok_or(BadAddress::Missing("stream: add ?stream=NAME"))?;
        let subject = query.take("subject").ok_or(BadAddress::Missing("subject: add &subject=NAME"))?;
        let options = Options::take(&mut query)?;
        let endpoint = Endpoint::parse(is_encrypted, head, &mut query)?;
        query.end()?;
        check_name("stream", &stream)?;
        check_subject("subject", &subject)?;
        // The address without the user and what may change for the same destination.
        let (place, escaped_stream) = (endpoint.place(), escaped(&stream));
        let destination = format!("nats://{place}?stream={escaped_stream}&subject={}", escaped(&subject));
        let name = options.named(destination)?;
        Ok((Self { endpoint, stream, subject, name }, options))
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

    fn parse(text: &str) -> Result<(Nats, Options), BadAddress> {
        match text.parse::<Address>()? {
            Address::Nats(broker, options) => Ok((*broker, options)),
            other => panic!("{other} is another broker"),
        }
    }

    #[test]
    fn an_address_names_a_subject_of_a_stream_and_its_position_is_kept_without_the_user() {
        for (text, subject, name) in [
            (
                "nats://a:b@MQ.example?stream=S&subject=out",
                "out",
                "nats://mq.example:4222?stream=S&subject=out",
            ),
            ("tls://t@h:1/?subject=a.b%26&stream=S", "a.b&", "nats://h:1?stream=S&subject=a.b%26"),
            ("nats://[::1]?stream=S&subject=s&from=now", "s", "nats://[::1]:4222?stream=S&subject=s"),
            ("nats://h?stream=S&subject=s&name=all", "s", "publish:all"),
        ] {
            let Ok((broker, options)) = parse(text) else { panic!("{text}") };
            assert_eq!((&*broker.stream, &*broker.subject, broker.name()), ("S", subject, name));
            assert_eq!(options.from == From::Now, text.contains("from=now"));
        }
    }

    #[test]
    fn a_wrong_address_is_refused_and_nothing_of_it_is_repeated() {
        for text in
            ["nats://", "nats://h", "nats://h?stream=S", "nats://h?subject=s", "nats://?stream=S&subject=s"]
                .into_iter()
                .chain(["nats://a:secret@h?stream=S&subject=secret.*", "nats://h?stream=S&subject="])
                .chain(["nats://a:secret@h?stream=S&subject=s&from=secret", "nats://h?stream=S.T&subject=s"])
                .chain([
                    "nats://a:secret@h?stream=S&subject=s&queue=secret",
                    "nats://h?stream=S&subject=s&ca=x",
                ])
        {
            let Err(error) = parse(text) else { panic!("{text} was accepted") };
            assert!(!error.to_string().contains("secret"), "{text}: {error}");
        }
    }

    #[test]
    fn an_address_is_shown_without_its_password() {
        let address: Address = "nats://ada:secret@h?stream=S&subject=s".parse().unwrap();
        let shown = "nats://h:4222?stream=S&subject=s";
        assert_eq!([address.to_string(), format!("{address:?}")], [shown, shown]);
    }
}
