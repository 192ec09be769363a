//! Where a NATS server is, and who connects.

use std::path::PathBuf;

use async_nats::ConnectOptions;

use crate::brokers::{BadAddress, Query, decoded, host_and_port, written};

/// A server, and how it is reached. It has no `Debug`, because it holds the password.
#[derive(Clone, PartialEq, Eq)]
pub struct Endpoint {
    is_encrypted: bool,
    host: String,
    port: u16,
    user: User,
    /// Certificates, as PEM, of the authorities that are trusted instead of the system's.
    authorities: Option<PathBuf>,
}

/// Who connects.
#[derive(Clone, PartialEq, Eq)]
enum User {
    Nobody,
    Token(String),
    Password(String, String),
}

const PORT: u16 = 4222;

/// The longest name of a stream or a consumer. A subject has no limit at the server; here it has the same one.
const LONGEST_NAME: usize = 255;

impl Endpoint {
    /// Reads `USER:PASSWORD@HOST:PORT` or `TOKEN@HOST:PORT`, what is between `nats://` (with TLS, `tls://`) and the `?`, and
    /// takes the option `ca` out of the query.
    ///
    /// # Errors
    /// Says what is wrong, without any part of the address.
    pub fn parse(is_encrypted: bool, text: &str, query: &mut Query) -> Result<Self, BadAddress> {
        let authorities = query.take("ca").map(PathBuf::from);
        if authorities.is_some() && !is_encrypted {
            return Err(BadAddress::Value("ca", "left out without TLS, or used with tls://"));
        }
        let (user, place) = match text.strip_suffix('/').unwrap_or(text).rsplit_once('@') {
            None => (User::Nobody, text.strip_suffix('/').unwrap_or(text)),
            Some((user, place)) => (User::parse(user)?, place),
        };
        let (host, port) = host_and_port(place)?;
        Ok(Self { is_encrypted, host, port: port.unwrap_or(PORT), user, authorities })
    }

    /// `HOST:PORT`.
    pub fn place(&self) -> String {
        written(&self.host, self.port)
    }

    /// The address without the user.
    pub(super) fn url(&self) -> String {
        format!("{}://{}", if self.is_encrypted { "tls" } else { "nats" }, self.place())
    }

    /// How to connect.
    pub(super) fn options(&self) -> ConnectOptions {
        let options = match &self.user {
            User::Nobody => ConnectOptions::new(),
            User::Token(token) => ConnectOptions::with_token(token.clone()),
            User::Password(user, password) => {
                ConnectOptions::with_user_and_password(user.clone(), password.clone())
            }
        };
        let options = options.require_tls(self.is_encrypted);
        match &self.authorities {
            Some(path) => options.add_root_certificates(path.clone()),
            None => options,
        }
    }
}

impl User {
    fn parse(text: &str) -> Result<Self, BadAddress> {
        match text.split_once(':') {
            Some((user, password)) => Ok(Self::Password(decoded(user)?, decoded(password)?)),
            None if text.is_empty() => Err(BadAddress::Unreadable),
            None => Ok(Self::Token(decoded(text)?)),
        }
    }
}

/// Checks the value of an option that names a stream or a consumer.
///
/// # Errors
/// [`BadAddress::Value`] when it cannot be the name of one.
pub fn check_name(option: &'static str, name: &str) -> Result<(), BadAddress> {
    let is_fit = |c: char| is_printed(c) && !".*>/\\".contains(c);
    if (1..=LONGEST_NAME).contains(&name.len()) && name.chars().all(is_fit) {
        Ok(())
    } else {
        Err(BadAddress::Value(option, "1 to 255 bytes without spaces and any of . * > / \\"))
    }
}

/// Checks a subject that is published to.
///
/// # Errors
/// [`BadAddress::Value`] when it is none, or stands for several.
pub fn check_subject(option: &'static str, subject: &str) -> Result<(), BadAddress> {
    let is_fit = |token: &str| !token.is_empty() && !["*", ">"].contains(&token);
    if subject.len() <= LONGEST_NAME && subject.chars().all(is_printed) && subject.split('.').all(is_fit) {
        Ok(())
    } else {
        Err(BadAddress::Value(option, "words with dots in between, without spaces, * and >"))
    }
}

fn is_printed(c: char) -> bool {
    !c.is_control() && !c.is_whitespace()
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
    fn an_address_says_where_the_server_is_and_who_connects() {
        let password = |user: &str, password: &str| User::Password(user.to_owned(), password.to_owned());
        for (is_encrypted, text, url, user) in [
            (false, "h", "nats://h:4222", User::Nobody),
            (true, "MQ.example:80/", "tls://mq.example:80", User::Nobody),
            (false, "[::1]", "nats://[::1]:4222", User::Nobody),
            (false, "to%40ken@h:1", "nats://h:1", User::Token("to@ken".to_owned())),
            (false, "ada:p%3a%2F@h", "nats://h:4222", password("ada", "p:/")),
            (false, "ada:@h", "nats://h:4222", password("ada", "")),
        ] {
            let Ok(endpoint) = parse(is_encrypted, text, "") else { panic!("{text}") };
            assert_eq!(endpoint.url(), url);
            assert!(endpoint.user == user, "{text}");
        }
        let authorities = parse(true, "h", "ca=x.pem").map(|endpoint| endpoint.authorities);
        assert_eq!(authorities, Ok(Some("x.pem".into())));
    }

    #[test]
    fn a_wrong_address_is_refused_and_nothing_of_it_is_repeated() {
        for text in
            ["", "@h", "a:secret@", "a:secret@h:x", "h/secret", "secret@h/v", "[::1", "h:65536", "%00@h"]
        {
            let Err(error) = parse(false, text, "") else { panic!("{text} was accepted") };
            assert!(!error.to_string().contains("secret"), "{text}: {error}");
        }
        assert!(parse(false, "h", "ca=x.pem").is_err(), "no certificate is checked without TLS");
    }

    #[test]
    fn a_name_is_one_word_and_a_subject_stands_for_itself() {
        assert!(["a", "A-b_1", "ä"].iter().all(|name| check_name("stream", name).is_ok()));
        let long = "x".repeat(256);
        for name in ["", "a.b", "*", ">", "a b", "a/b", "a\\b", "a\n", &long] {
            assert!(check_name("stream", name).is_err(), "{name}");
        }
        assert!(["a", "a.b-c.d_e", "a.b>"].iter().all(|name| check_subject("subject", name).is_ok()));
        for subject in ["", ".", "a.", ".a", "a..b", "a.*", ">", "a.>", "a b", "a\t", &long] {
            assert!(check_subject("subject", subject).is_err(), "{subject}");
        }
    }
}
