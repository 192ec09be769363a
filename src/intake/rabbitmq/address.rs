//! Where a queue is, and how many messages of it are under way.

use std::path::PathBuf;

use lapin::uri::{AMQPAuthority, AMQPQueryString, AMQPScheme, AMQPUri, AMQPUserInfo};

use crate::intake::options::{BadAddress, Options, Query, decoded};

/// A queue of RabbitMQ. It has no `Debug`, because it holds the password.
#[derive(Clone, PartialEq, Eq)]
pub struct RabbitMq {
    pub(super) uri: AMQPUri,
    pub(super) queue: String,
    /// The messages that the broker sends ahead of their acknowledgement. They are in memory.
    pub(super) prefetch: u16,
    /// Certificates, as PEM, of authorities that are trusted besides the system's.
    pub(super) authorities: Option<PathBuf>,
    source: String,
}

/// Two chunks: one that is stored, and one that arrives.
const PREFETCH: u16 = 2000;

/// Seconds after which a silent connection is checked. It is given up after about twice that.
const HEARTBEAT: u16 = 10;

/// The longest name of a queue or of a virtual host in AMQP.
const LONGEST_NAME: usize = 255;

impl RabbitMq {
    /// Reads `USER:PASSWORD@HOST:PORT/VHOST?queue=NAME&..`, what is behind `amqp://` or, with TLS, `amqps://`.
    ///
    /// # Errors
    /// Says what is wrong, without any part of the address.
    pub fn parse(is_encrypted: bool, text: &str) -> Result<(Self, Options), BadAddress> {
        let (head, query) = text.split_once('?').unwrap_or((text, ""));
        let mut query = Query::parse(query)?;
        let queue = query.take("queue").filter(|queue| !queue.is_empty()).ok_or(BadAddress::NoQueue)?;
        let prefetch = query.take("prefetch").map_or(Ok(PREFETCH), |text| {
            text.parse()
                .ok()
                .filter(|count| *count > 0)
                .ok_or(BadAddress::Value("prefetch", "from 1 to 65535"))
        })?;
        let authorities = query.take("ca").map(PathBuf::from);
        if authorities.is_some() && !is_encrypted {
            return Err(BadAddress::Value("ca", "left out without TLS, or used with amqps://"));
        }
        let options = Options::take(&mut query)?;
        query.end()?;
        let scheme = if is_encrypted { AMQPScheme::AMQPS } else { AMQPScheme::AMQP };
        let uri = uri(scheme, head)?;
        if queue.len() > LONGEST_NAME || uri.vhost.len() > LONGEST_NAME {
            return Err(BadAddress::Value("queue", "at most 255 bytes long, and so must the virtual host"));
        }
        // The host is left out, because a queue is the same at each node of a cluster.
        let source = match uri.vhost.as_str() {
            "/" => format!("rabbitmq:{queue}"),
            vhost => format!("rabbitmq:{vhost}/{queue}"),
        };
        Ok((Self { uri, queue, prefetch, authorities, source }, options))
    }

    /// See [`Broker::source`](crate::intake::Broker::source).
    pub fn source(&self) -> &str {
        &self.source
    }
}

/// Reads what is before the `?`. Not by lapin, which connects to localhost where it understands no host.
fn uri(scheme: AMQPScheme, text: &str) -> Result<AMQPUri, BadAddress> {
    let (place, vhost) = text.split_once('/').unwrap_or((text, ""));
    let (user, host) = place.rsplit_once('@').unwrap_or(("guest:guest", place));
    let (username, password) = user.split_once(':').ok_or(BadAddress::Unreadable)?;
    let (host, port) = host_and_port(host)?;
    // As most clients do: 'amqp://HOST/' is the default virtual host.
    let vhost = if vhost.is_empty() { "/".to_owned() } else { decoded(vhost)? };
    let userinfo = AMQPUserInfo { username: decoded(username)?, password: decoded(password)? };
    let port = port.unwrap_or(scheme.default_port());
    let query = AMQPQueryString { heartbeat: Some(HEARTBEAT), ..AMQPQueryString::default() };
    Ok(AMQPUri { scheme, authority: AMQPAuthority { userinfo, host, port }, vhost, query })
}

/// The host, without the brackets of an IPv6 address, and the port.
fn host_and_port(text: &str) -> Result<(String, Option<u16>), BadAddress> {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => rest.split_once(']').ok_or(BadAddress::Unreadable)?,
        None => text.split_at(text.find(':').unwrap_or(text.len())),
    };
    let is_host = |c: char| c.is_ascii_alphanumeric() || "-._:".contains(c);
    if host.is_empty() || !host.chars().all(is_host) {
        return Err(BadAddress::Unreadable);
    }
    let port = match port.strip_prefix(':') {
        Some(port) => Some(port.parse().map_err(|_| BadAddress::Unreadable)?),
        None if port.is_empty() => None,
        None => return Err(BadAddress::Unreadable),
    };
    Ok((host.to_owned(), port))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::intake::{Address, Form, WithoutId};

    fn parse(text: &str) -> Result<(RabbitMq, Options), BadAddress> {
        match text.parse::<Address>()? {
            Address::RabbitMq(broker, options) => Ok((*broker, options)),
        }
    }

    #[test]
    fn an_address_says_where_the_queue_is() {
        let (broker, options) = parse(
            "amqps://ada:p%40ss%3A@mq.example:5699/a%2fb?queue=in%20box&prefetch=7&body=json&without-id=accept&ca=x.pem",
        )
        .unwrap_or_else(|error| panic!("{error}"));
        let AMQPUri { scheme, authority, vhost, .. } = &broker.uri;
        assert_eq!((scheme, &*authority.host, authority.port), (&AMQPScheme::AMQPS, "mq.example", 5699));
        assert_eq!((&*authority.userinfo.username, &*authority.userinfo.password), ("ada", "p@ss:"));
        assert_eq!((&**vhost, &*broker.queue, broker.prefetch), ("a/b", "in box", 7));
        assert_eq!(broker.authorities.as_deref(), Some("x.pem".as_ref()));
        assert_eq!(options, Options { form: Form::Json, without_id: WithoutId::Accept });
        assert_eq!(broker.source(), "rabbitmq:a/b/in box");
    }

    #[test]
    fn what_is_left_out_has_a_default_and_no_host_is_guessed() {
        for (text, host, port) in [
            ("amqp://h?queue=q", "h", 5672),
            ("amqp://h/?queue=q", "h", 5672),
            ("amqps://h/%2f?queue=q", "h", 5671),
            ("amqp://[::1]:1234/?queue=q", "::1", 1234),
            ("amqp://127.0.0.1:80?queue=q", "127.0.0.1", 80),
        ] {
            let Ok((broker, options)) = parse(text) else { panic!("{text}") };
            assert_eq!((&*broker.uri.authority.host, broker.uri.authority.port), (host, port), "{text}");
            assert_eq!((&*broker.uri.vhost, broker.source(), broker.prefetch), ("/", "rabbitmq:q", PREFETCH));
            assert_eq!(options, Options::default());
        }
        for text in
            ["", "amqp:", "amqp://", "http://h?queue=q", "amqp://h", "amqp://h?queue=", "amqp://?queue=q"]
                .into_iter()
                .chain(["amqp://secret@h?queue=q", "amqp://a:secret@?queue=q", "amqp://a:secret@h:x?queue=q"])
                .chain([
                    "amqp://a:secret@h?queue=q&queue=r",
                    "amqp://a:secret@h?queue=q&secret=1",
                    "amqp://[::1?queue=q",
                ])
                .chain([
                    "amqp://h?queue=q&prefetch=0",
                    "amqp://h?queue=q&prefetch=65536",
                    "amqp://h?queue=q&ca=x",
                ])
                .chain([
                    "amqp://h?queue=q&body=secret",
                    "amqp://h?queue=q&without-id=secret",
                    "amqp://h?queue=%00",
                ])
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
