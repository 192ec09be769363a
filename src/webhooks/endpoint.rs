//! Where messages are sent: an address that was parsed and checked.

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use actix_rt::time::timeout;
use tokio::net::lookup_host;
use url::{Host, Url};

use super::internal::is_public;
use crate::store::WebhookRow;

/// How long a look-up of a name may take when a webhook is added.
const LOOK_UP: Duration = Duration::from_secs(10);

/// Addresses of one name that are tried.
const TRIED: usize = 4;

/// The address of a webhook. It has no user and no fragment; it is https, unless it may be internal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    url: Url,
    allow_internal: bool,
}

/// An address that a webhook cannot have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EndpointError {
    /// It cannot be understood.
    #[error("this is not the address of a web server: give one such as https://example.org/hooks")]
    Malformed,
    /// It is too long.
    #[error("an address has {} bytes at most", WebhookRow::LONGEST_URL)]
    TooLong,
    /// It has a user or a password.
    #[error("an address cannot have a user or a password: the receiver checks the signature of each message")]
    HasUser,
    /// It has a fragment.
    #[error("an address cannot have a part behind '#', because that is never sent")]
    HasFragment,
    /// It is http, and must not be internal.
    #[error("an address begins with https://: only 'signwave webhooks add --allow-internal' takes http://")]
    NotHttps,
    /// It is internal, and must not be.
    #[error(
        "the address leads to {0}, which is internal: only 'signwave webhooks add --allow-internal' takes such an address"
    )]
    Internal(IpAddr),
    /// Its name cannot be resolved.
    #[error("the name of the server cannot be resolved: {0}")]
    NotResolved(String),
}

impl Endpoint {
    /// Parses an address.
    ///
    /// # Errors
    /// When a webhook cannot have it. A name is resolved by [`check`](Self::check) and at each request.
    pub fn parse(text: &str, allow_internal: bool) -> Result<Self, EndpointError> {
        if text.len() > WebhookRow::LONGEST_URL {
            return Err(EndpointError::TooLong);
        }
        let url = Url::parse(text).map_err(|_| EndpointError::Malformed)?;
        match url.scheme() {
            "https" => {}
            "http" if allow_internal => {}
            "http" => return Err(EndpointError::NotHttps),
            _ => return Err(EndpointError::Malformed),
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(EndpointError::HasUser);
        }
        if url.fragment().is_some() {
            return Err(EndpointError::HasFragment);
        }
        let host = url.host().ok_or(EndpointError::Malformed)?.to_owned();
        if url.as_str().len() > WebhookRow::LONGEST_URL {
            return Err(EndpointError::TooLong);
        }
        let endpoint = Self { url, allow_internal };
        match host {
            // No name has an empty label; browsers only find out when they look it up.
            Host::Domain(name) if name.strip_suffix('.').unwrap_or(&name).split('.').any(str::is_empty) => {
                return Err(EndpointError::Malformed);
            }
            Host::Domain(_) => {}
            Host::Ipv4(address) => endpoint.may_reach(address.into())?,
            Host::Ipv6(address) => endpoint.may_reach(address.into())?,
        }
        Ok(endpoint)
    }

    /// Parses an address, and resolves its name unless it may be internal. What it resolves to is checked again at each
    /// request.
    ///
    /// # Errors
    /// When a webhook cannot have it.
    pub async fn check(text: &str, allow_internal: bool) -> Result<Self, EndpointError> {
        let endpoint = Self::parse(text, allow_internal)?;
        if !allow_internal {
            let resolved = timeout(LOOK_UP, endpoint.resolve()).await;
            resolved.map_err(|_| EndpointError::NotResolved("the look-up took too long".to_owned()))??;
        }
        Ok(endpoint)
    }

    /// The addresses that may be connected to. If one of them may not, none may, because its name is not to be trusted.
    pub(super) async fn resolve(&self) -> Result<Vec<SocketAddr>, EndpointError> {
        let unresolved = |error: std::io::Error| EndpointError::NotResolved(error.to_string());
        let found: Vec<_> = match self.host() {
            Host::Domain(name) => lookup_host((name, self.port())).await.map_err(unresolved)?.collect(),
            Host::Ipv4(address) => vec![(address, self.port()).into()],
            Host::Ipv6(address) => vec![(address, self.port()).into()],
        };
        found.iter().try_for_each(|address| self.may_reach(address.ip()))?;
        if found.is_empty() {
            return Err(EndpointError::NotResolved("it has no address".to_owned()));
        }
        Ok(found.into_iter().take(TRIED).collect())
    }

    fn may_reach(&self, address: IpAddr) -> Result<(), EndpointError> {
        if self.allow_internal || is_public(address) { Ok(()) } else { Err(EndpointError::Internal(address)) }
    }

    /// The address as it is stored and shown.
    pub fn as_str(&self) -> &str {
        self.url.as_str()
    }

    pub(super) fn host(&self) -> Host<&str> {
        self.url.host().expect("it was parsed with a host")
    }

    pub(super) fn is_tls(&self) -> bool {
        self.url.scheme() == "https"
    }

    fn port(&self) -> u16 {
        self.url.port_or_known_default().expect("https and http have one")
    }

    /// What the header Host has: the port only if it is not that of the scheme.
    pub(super) fn authority(&self) -> String {
        match self.url.port() {
            Some(port) => format!("{}:{port}", self.host()),
            None => self.host().to_string(),
        }
    }

    /// The path and the query.
    pub(super) fn target(&self) -> &str {
        &self.url[url::Position::BeforePath..url::Position::AfterQuery]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_as_a_browser_reads_it() {
        let endpoint = Endpoint::parse("HTTPS://Example.ORG:8443/a b?x=1&y", false).unwrap();
        assert_eq!(endpoint.as_str(), "https://example.org:8443/a%20b?x=1&y");
        assert_eq!((endpoint.authority().as_str(), endpoint.target()), ("example.org:8443", "/a%20b?x=1&y"));
        let endpoint = Endpoint::parse("https://example.org:443", false).unwrap();
        assert_eq!((endpoint.authority().as_str(), endpoint.target()), ("example.org", "/"));
        let endpoint = Endpoint::parse("http://[::1]:8080/x", true).unwrap();
        assert_eq!((endpoint.authority().as_str(), endpoint.is_tls()), ("[::1]:8080", false));
    }

    #[test]
    fn what_a_webhook_cannot_have_is_refused() {
        for (text, allow_internal, error) in [
            ("", false, EndpointError::Malformed),
            ("example.org", false, EndpointError::Malformed),
            ("ftp://example.org/", true, EndpointError::Malformed),
            ("file:///etc/passwd", true, EndpointError::Malformed),
            ("https://", false, EndpointError::Malformed),
            ("https://./", false, EndpointError::Malformed),
            ("https://a..example/", true, EndpointError::Malformed),
            ("http://example.org/", false, EndpointError::NotHttps),
            ("https://user@example.org/", false, EndpointError::HasUser),
            ("https://:secret@example.org/", false, EndpointError::HasUser),
            ("https://example.org/#a", false, EndpointError::HasFragment),
        ] {
            assert_eq!(Endpoint::parse(text, allow_internal), Err(error), "{text}");
        }
        let long = format!("https://example.org/{}", "x".repeat(WebhookRow::LONGEST_URL));
        assert_eq!(Endpoint::parse(&long, false), Err(EndpointError::TooLong));
        let grows = format!("https://example.org/{}", "\u{e9}".repeat(WebhookRow::LONGEST_URL / 2 - 20));
        assert_eq!(Endpoint::parse(&grows, false), Err(EndpointError::TooLong));
    }

    #[test]
    fn every_form_of_an_internal_address_is_refused() {
        for text in [
            "https://127.0.0.1/",
            "https://127.1/",
            "https://2130706433/",
            "https://0x7f000001/",
            "https://0177.0.0.1/",
            "https://127.0.0.1./",
            "https://\u{ff11}27.0.0.1/",
            "https://[::1]/",
            "https://[::ffff:127.0.0.1]/",
            "https://[::ffff:7f00:1]/",
            "https://169.254.169.254/latest/meta-data/",
            "https://[fe80::1]/",
            "https://0.0.0.0/",
        ] {
            assert!(matches!(Endpoint::parse(text, false), Err(EndpointError::Internal(_))), "{text}");
            assert!(Endpoint::parse(text, true).is_ok(), "{text}");
        }
    }

    #[actix_rt::test]
    async fn a_name_that_leads_inside_is_refused_when_it_is_resolved() {
        let endpoint = Endpoint::parse("https://localhost/", false).unwrap();
        assert!(matches!(endpoint.resolve().await, Err(EndpointError::Internal(_))));
        let checked = Endpoint::check("https://localhost/", false).await;
        assert!(matches!(checked, Err(EndpointError::Internal(_))));
        assert!(Endpoint::check("https://localhost/", true).await.is_ok());
        let checked = Endpoint::check("https://no-such-host.invalid/", false).await;
        assert!(matches!(checked, Err(EndpointError::NotResolved(_))), "{checked:?}");
    }
}
