//! Addresses of servers as libpq reads them: URLs, and key=value strings, which are made into URLs.

use super::percent::{decode, encode};

/// Every parameter of libpq 18.
const PARAMETERS: [&str; 52] = [
    "service",
    "user",
    "password",
    "passfile",
    "channel_binding",
    "connect_timeout",
    "dbname",
    "host",
    "hostaddr",
    "port",
    "client_encoding",
    "options",
    "application_name",
    "fallback_application_name",
    "keepalives",
    "keepalives_idle",
    "keepalives_interval",
    "keepalives_count",
    "tcp_user_timeout",
    "sslmode",
    "sslnegotiation",
    "sslcompression",
    "sslcert",
    "sslkey",
    "sslcertmode",
    "sslpassword",
    "sslrootcert",
    "sslcrl",
    "sslcrldir",
    "sslsni",
    "requirepeer",
    "require_auth",
    "min_protocol_version",
    "max_protocol_version",
    "ssl_min_protocol_version",
    "ssl_max_protocol_version",
    "gssencmode",
    "krbsrvname",
    "gsslib",
    "gssdelegation",
    "replication",
    "target_session_attrs",
    "load_balance_hosts",
    "scram_client_key",
    "scram_server_key",
    "oauth_issuer",
    "oauth_client_id",
    "oauth_client_secret",
    "oauth_scope",
    "sslkeylogfile",
    "servicefile",
    "requiressl",
];

/// Values of `sslmode`.
const SSL_MODES: [&str; 6] = ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"];

/// Parameters of other programs, and what to write instead.
const FOREIGN: [(&str, &str); 22] = [
    ("schema", "to select a schema, write options=-c%20search_path%3DNAME"),
    ("currentSchema", "to select a schema, write options=-c%20search_path%3DNAME"),
    ("search_path", "write options=-c%20search_path%3DNAME"),
    ("pgbouncer", "leave it out"),
    ("connection_limit", "use --connections instead"),
    ("pool_size", "use --connections instead"),
    ("max_connections", "use --connections instead"),
    ("min_connections", "leave it out: connections are opened when they are needed"),
    ("pool_timeout", "leave it out"),
    ("pool_max_conns", "use --connections instead"),
    ("socket_timeout", "leave it out"),
    ("statement_cache_size", "leave it out"),
    ("prepared_statement_cache_size", "leave it out"),
    ("statement_timeout", "leave it out: every connection sets its own"),
    ("sslaccept", "write sslmode=require or sslmode=verify-full"),
    ("sslidentity", "write sslcert=FILE and sslkey=FILE"),
    ("sslfactory", "write sslmode=require or sslmode=verify-full"),
    ("encoding", "leave it out: the encoding is UTF-8"),
    ("charset", "leave it out: the encoding is UTF-8"),
    ("ApplicationName", "write application_name"),
    ("loginTimeout", "write connect_timeout"),
    ("timezone", "leave it out: times are in UTC"),
];

/// Whether a bare text is meant as `key=value ..`: it contains a `=` with no `/` before it. A file with such a
/// name must be written with a folder, such as `./`.
pub fn is_key_value(text: &str) -> bool {
    text.split_once('=').is_some_and(|(before, _)| !before.contains('/'))
}

/// Whether a text that would be shown seems to hold a password, as when pairs are separated by semicolons.
pub fn names_password(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    ["password", "passwd", "pwd"].iter().any(|word| lower.contains(word))
}

/// Makes the URL of a `key=value ..` string.
///
/// # Errors
/// What is wrong with the string, without repeating any part of it.
pub fn url_of(key_value: &str) -> Result<String, &'static str> {
    let mut given = parse_key_value(key_value)?;
    if given.iter().any(|(name, _)| !PARAMETERS.contains(&name.as_str())) {
        return Err("one of its keys is not a libpq parameter");
    }
    let is_shown = |name: &str| ["host", "hostaddr", "port", "dbname", "user"].contains(&name);
    if given
        .iter()
        .any(|(name, value)| is_shown(name) && (value.contains([';', '=']) || names_password(value)))
    {
        return Err("one of its values contains another pair (only spaces separate pairs)");
    }
    let mut take = |name: &str| {
        let last = given.iter().rfind(|(given, _)| given == name)?.1.clone();
        given.retain(|(given, _)| given != name);
        Some(last)
    };
    // One plain host goes before the path; several hosts, or a folder, become parameters.
    let (host, port, database) = (take("host"), take("port"), take("dbname"));
    let is_plain =
        |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || ".-".contains(c));
    let (mut authority, mut rest) = (String::new(), Vec::new());
    match (&host, &port) {
        (Some(host), port) if is_plain(host) && port.as_deref().is_none_or(is_plain) => {
            authority = port.as_ref().map_or_else(|| host.clone(), |port| format!("{host}:{port}"));
        }
        _ => {
            rest.extend(host.map(|host| ("host".to_owned(), host)));
            rest.extend(port.map(|port| ("port".to_owned(), port)));
        }
    }
    rest.extend(given);
    let database = database.map_or_else(String::new, |database| encode(&database));
    let parameters: Vec<_> = rest.iter().map(|(name, value)| format!("{name}={}", encode(value))).collect();
    let separator = if parameters.is_empty() { "" } else { "?" };
    Ok(format!("postgres://{authority}/{database}{separator}{}", parameters.join("&")))
}

/// As libpq's `conninfo_parse`: values may stand in single quotes, and a backslash takes the next
/// character as it is.
fn parse_key_value(text: &str) -> Result<Vec<(String, String)>, &'static str> {
    let mut parameters = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let (name, behind) = rest.split_once('=').ok_or("a '=' is missing after one of its keys")?;
        let name = name.trim_end();
        if name.is_empty() || name.contains(char::is_whitespace) {
            return Err("a '=' is missing after one of its keys");
        }
        let (value, behind) = take_value(behind.trim_start())?;
        parameters.push((name.to_owned(), value));
        rest = behind.trim_start();
    }
    Ok(parameters)
}

fn take_value(text: &str) -> Result<(String, &str), &'static str> {
    let is_quoted = text.starts_with('\'');
    let (mut value, mut characters) = (String::new(), text.char_indices());
    if is_quoted {
        characters.next();
    }
    while let Some((place, character)) = characters.next() {
        match character {
            '\\' => value.extend(characters.next().map(|(_, escaped)| escaped)),
            '\'' if is_quoted => return Ok((value, &text[place + 1..])),
            c if !is_quoted && c.is_whitespace() => return Ok((value, &text[place..])),
            c => value.push(c),
        }
    }
    if is_quoted { Err("the closing quote of a value is missing") } else { Ok((value, "")) }
}

/// The parts of a URL as libpq splits it, still encoded.
#[derive(Clone, Copy, Debug, Default)]
pub struct Parts<'a> {
    /// `user:password`.
    pub user: Option<&'a str>,
    /// `host:port,..`.
    pub hosts: &'a str,
    /// The name of the database.
    pub database: &'a str,
    /// `name=value&..`, when there is a '?'.
    pub query: Option<&'a str>,
}

impl<'a> Parts<'a> {
    /// Takes a URL apart. A user's name and password end at the first '@' unless a '/' comes first.
    pub fn of(url: &'a str) -> Self {
        let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
        let (user, rest) = match rest.find(['@', '/']) {
            Some(end) if rest[end..].starts_with('@') => (Some(&rest[..end]), &rest[end + 1..]),
            _ => (None, rest),
        };
        let (rest, query) = rest.split_once('?').map_or((rest, None), |(rest, query)| (rest, Some(query)));
        let (hosts, database) = rest.split_once('/').unwrap_or((rest, ""));
        Self { user, hosts, database, query }
    }

    /// What a parameter is set to, decoded; the last one counts.
    pub fn parameter(&self, name: &str) -> Option<String> {
        self.parameters().filter(|(given, _)| *given == name).last().map(|(_, value)| decode(value))
    }

    /// Names and values, as they are written.
    pub fn parameters(&self) -> impl Iterator<Item = (&'a str, &'a str)> + use<'a> {
        let given = self.query.unwrap_or_default().split('&').filter(|given| !given.is_empty());
        given.map(|given| given.split_once('=').unwrap_or((given, "")))
    }
}

/// Refuses parameters that libpq would refuse, with what to write instead.
///
/// # Errors
/// A sentence that repeats no value, and no name but those of other programs' parameters.
fn check_parameters(url: &str) -> Result<(), String> {
    for (name, value) in Parts::of(url).parameters() {
        if let Some((name, instead)) = FOREIGN.iter().find(|(foreign, _)| foreign.eq_ignore_ascii_case(name))
        {
            return Err(format!("'{name}' is another program's parameter: {instead}"));
        }
        match decode(name).as_str() {
            "sslmode" if !SSL_MODES.contains(&decode(value).as_str()) => {
                return Err(format!("sslmode must be one of {}", SSL_MODES.join(", ")));
            }
            "ssl" if value != "true" => {
                return Err("write sslmode=require, or sslmode=disable, instead of ssl".to_owned());
            }
            "ssl" => {}
            name if !PARAMETERS.contains(&name) => {
                return Err(
                    "it has a parameter that libpq does not know; in the user name and password, write \
                            %3F for '?', %40 for '@', %2F for '/', %3A for ':' and %25 for '%'"
                        .to_owned(),
                );
            }
            _ => {}
        }
    }
    Ok(())
}

/// Checks a URL, as far as that can be done without a server.
///
/// # Errors
/// What is wrong with it, to be read behind "the address of the". It repeats nothing of the URL but the names of other
/// programs' parameters.
pub fn check(url: &str) -> Result<(), String> {
    if public_part(url).is_some_and(|shown| shown.contains([';', '&']) || names_password(shown)) {
        return Err("database has a parameter where its host or name belongs: write \
                    postgres://USER:PASSWORD@HOST:PORT/NAME?NAME=VALUE&.."
            .to_owned());
    }
    check_parameters(url).map_err(|problem| format!("server cannot be used: {problem}"))
}

/// The URL as it may be shown: host, port and name, and never a user, password or parameter.
pub fn shown(url: &str) -> String {
    format!("postgres://{}", public_part(url).unwrap_or(".."))
}

/// Host, port and database; `None` when it is not certain which part is the password.
fn public_part(url: &str) -> Option<&str> {
    let (_, rest) = url.split_once("://")?;
    let authority_end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, after) = rest.split_at(authority_end);
    if after.contains('@') {
        return None;
    }
    let host_start = authority.rfind('@').map_or(0, |at| at + 1);
    let port = authority[host_start..].rsplit_once(':').map_or("", |(_, port)| port);
    let path_end = authority_end + after.find(['?', '#']).unwrap_or(after.len());
    port.chars().all(|c| c.is_ascii_digit()).then_some(&rest[host_start..path_end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_value_string_becomes_the_url_that_means_the_same() {
        for (text, url) in [
            ("host=h dbname=d", "postgres://h/d"),
            (
                "host=127.0.0.1 port=5432 dbname=a user=u password=s3cr3t",
                "postgres://127.0.0.1:5432/a?user=u&password=s3cr3t",
            ),
            ("  dbname = 'a b'\n user=u", "postgres:///a%20b?user=u"),
            (r"password='a\'b\\c' host=/run/pg", "postgres:///?host=%2Frun%2Fpg&password=a%27b%5Cc"),
            ("host=a,b port=1,2", "postgres:///?host=a%2Cb&port=1%2C2"),
            ("host='' port=5", "postgres:///?host=&port=5"),
            ("service=sw", "postgres:///?service=sw"),
            ("dbname=a dbname=b", "postgres:///b"),
        ] {
            assert_eq!(url_of(text).as_deref(), Ok(url), "{text}");
        }
        for wrong in ["hots=127.0.0.1 password=x", "host", "host=a password", "password='x", "=x", "a b=c.db"]
        {
            assert!(url_of(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_url_is_taken_apart_where_libpq_does() {
        let parts = Parts::of("postgres://u:a?b@h:1,[::1]:2/d?host=%2Ftmp&options=-c%20x%3D1&host=%2Frun");
        assert_eq!((parts.user, parts.hosts, parts.database), (Some("u:a?b"), "h:1,[::1]:2", "d"));
        assert_eq!(parts.parameter("host").as_deref(), Some("/run"));
        assert_eq!(parts.parameter("options").as_deref(), Some("-c x=1"));
        let parts = Parts::of("postgres://?service=sw");
        assert_eq!(
            (parts.user, parts.hosts, parts.database, parts.query),
            (None, "", "", Some("service=sw"))
        );
    }

    #[test]
    fn what_is_encoded_is_decoded_again() {
        let text = "p@ss:w/rd#?%&x=é\"' %zz";
        assert_eq!(decode(&encode(text)), text);
        assert_eq!(decode("%zz%4"), "%zz%4");
    }

    #[test]
    fn parameters_of_other_programs_are_named_and_nothing_else_is() {
        for (url, said) in [
            ("postgres://h/d?schema=public", "options=-c%20search_path"),
            ("postgres://h/d?sslmode=require&pgbouncer=true", "'pgbouncer'"),
            ("postgres://h/d?connection_limit=5", "--connections"),
            ("postgres://h/d?sslmode=secret", "sslmode must be one of disable"),
            ("postgres://h/d?ssl=1", "sslmode=require"),
            ("postgres://u:p?secret&x@h/d", ""),
            ("postgres://h/d?secret@x", "libpq does not know"),
            ("postgres://h/d?ssl=true&sslmode=verify-full&tcp_user_timeout=5", ""),
        ] {
            let error = check_parameters(url).err().unwrap_or_default();
            assert!(error.contains(said) && error.is_empty() == said.is_empty(), "{url}: {error}");
            assert!(!error.contains("secret"), "{error}");
        }
    }
}
