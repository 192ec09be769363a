//! Where a broker is, and who connects.

use std::path::PathBuf;

use lapin::uri::{AMQPAuthority, AMQPQueryString, AMQPScheme, AMQPUri, AMQPUserInfo};

use crate::brokers::{BadAddress, Query, decoded, host_and_port};

/// A virtual host of a broker, and how it is reached. It has no `Debug`, because it holds the password.
#[derive(Clone, PartialEq, Eq)]
pub struct Endpoint {
    pub(super) uri: AMQPUri,
    /// Certificates, as PEM, of authorities that are trusted besides the system's.
    pub(super) authorities: Option<PathBuf>,
}

/// Seconds after which a silent connection is checked. It is given up after about twice that.
const HEARTBEAT: u16 = 10;

/// The longest name of a queue, an exchange or a virtual host in AMQP.
const LONGEST_NAME: usize = 255;

impl Endpoint {
    /// Reads `USER:PASSWORD@HOST:PORT/VHOST`, what is between `amqp://` (with TLS, `amqps://`) and the `?`, and takes the
    /// option `ca` out of the query.
    ///
    /// # Errors
    /// Says what is wrong, without any part of the address.
    pub fn parse(is_encrypted: bool, text: &str, query: &mut Query) -> Result<Self, BadAddress> {
        let authorities = query.take("ca").map(PathBuf::from);
        if authorities.is_some() && !is_encrypted {
            return Err(BadAddress::Value("ca", "left out without TLS, or used with amqps://"));
        }
        let uri = uri(if is_encrypted { AMQPScheme::AMQPS } else { AMQPScheme::AMQP }, text)?;
        if uri.vhost.len() > LONGEST_NAME {
            return Err(BadAddress::Unreadable);
        }
        Ok(Self { uri, authorities })
    }

    /// The virtual host.
    pub fn vhost(&self) -> &str {
        &self.uri.vhost
    }

    /// The host, as it was given.
    pub fn host(&self) -> &str {
        &self.uri.authority.host
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.uri.authority.port
    }
}

/// Checks the value of an option that names a queue, an exchange or a routing key.
///
/// # Errors
/// [`BadAddress::Value`] when it is longer than AMQP has it.
pub fn check_name(option: &'static str, name: &str) -> Result<(), BadAddress> {
    if name.len() <= LONGEST_NAME { Ok(()) } else { Err(BadAddress::Value(option, "at most 255 bytes long")) }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(is_encrypted: bool, text: &str, query: &str) -> Result<Endpoint, BadAddress> {
        let mut query = Query::parse(query, "ca")?;
        let endpoint = Endpoint::parse(is_encrypted, text, &mut query)?;
        query.end().map(|()| endpoint)
    }

    #[test]
    fn an_address_says_where_the_broker_is_and_who_connects() {
        let endpoint = parse(true, "ada:p%40ss%3A@mq.example:5699/a%2fb", "ca=x.pem");
        let endpoint = endpoint.unwrap_or_else(|error| panic!("{error}"));
        let AMQPUri { scheme, authority, .. } = &endpoint.uri;
        assert_eq!((scheme, endpoint.host(), endpoint.port()), (&AMQPScheme::AMQPS, "mq.example", 5699));
        assert_eq!((&*authority.userinfo.username, &*authority.userinfo.password), ("ada", "p@ss:"));
        assert_eq!((endpoint.vhost(), endpoint.authorities.as_deref()), ("a/b", Some("x.pem".as_ref())));
    }

    #[test]
    fn what_is_left_out_has_a_default_and_no_host_is_guessed() {
        for (is_encrypted, text, host, port) in [
            (false, "h", "h", 5672),
            (false, "h/", "h", 5672),
            (true, "h/%2f", "h", 5671),
            (false, "[::1]:1234/", "::1", 1234),
            (false, "127.0.0.1:80", "127.0.0.1", 80),
        ] {
            let Ok(endpoint) = parse(is_encrypted, text, "") else { panic!("{text}") };
            assert_eq!((endpoint.host(), endpoint.port(), endpoint.vhost()), (host, port, "/"), "{text}");
        }
        let long = format!("h/{}", "v".repeat(256));
        for text in ["", "secret@h", "a:secret@", "a:secret@h:x", "[::1", "[::1]x", "h/%00", &long] {
            let Err(error) = parse(false, text, "") else { panic!("{text} was accepted") };
            assert!(!error.to_string().contains("secret"), "{text}: {error}");
        }
        assert!(parse(false, "h", "ca=x.pem").is_err(), "no certificate is checked without TLS");
        assert!(parse(true, "h", "ca=x.pem&ca=y.pem").is_err());
    }
}
