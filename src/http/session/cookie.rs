//! The cookie of a session.

use std::time::Duration;

use actix_web::{
    HttpRequest,
    http::header::{COOKIE, HeaderValue},
};

use crate::http::connection::is_encrypted;

/// A cookie, as RFC 6265 has it. Pages cannot read it, and browsers send it only from pages of the same site.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cookie {
    /// On TLS. By its prefix, browsers see to it that no other host or path has set it, and that it was set over TLS.
    Encrypted,
    /// On plain HTTP, where browsers accept neither the prefix nor `Secure`.
    Plain,
}

impl Cookie {
    /// The cookie of the connection that a request came by.
    pub fn of(request: &HttpRequest) -> Self {
        if is_encrypted(request) { Self::Encrypted } else { Self::Plain }
    }

    /// Its value in a request.
    pub fn value(self, request: &HttpRequest) -> Option<&str> {
        let lines = request.headers().get_all(COOKIE).filter_map(|line| line.to_str().ok());
        let mut pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
        pairs.find(|(name, _)| *name == self.name()).map(|(_, value)| value)
    }

    /// The header Set-Cookie with a value that lasts for this long: a time of zero removes the cookie.
    ///
    /// # Panics
    /// If the value has other characters than a token.
    pub fn set(self, value: &str, lasts: Duration) -> HeaderValue {
        let secure = if self == Self::Encrypted { "; Secure" } else { "" };
        let (name, seconds) = (self.name(), lasts.as_secs());
        let header = format!("{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}");
        HeaderValue::try_from(header).expect("a token has only letters, digits and underscores")
    }

    fn name(self) -> &'static str {
        match self {
            Self::Encrypted => "__Host-signwave",
            Self::Plain => "signwave",
        }
    }
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn the_cookie_is_found_among_others_by_its_whole_name() {
        let found = |header: &str| {
            let request = TestRequest::default().insert_header(("Cookie", header)).to_http_request();
            (
                Cookie::of(&request).value(&request).map(str::to_owned),
                Cookie::Encrypted.value(&request).is_some(),
            )
        };
        assert_eq!(found("a=1; signwave=x;b=2"), (Some("x".to_owned()), false));
        assert_eq!(found("__Host-signwave=y; xsignwave=z; signwave2=z; Signwave=z"), (None, true));
        assert_eq!(found("signwave"), (None, false));
        assert_eq!(found("signwave=first; signwave=second"), (Some("first".to_owned()), false));
    }

    #[test]
    fn pages_cannot_read_it_and_on_tls_it_is_sent_on_tls_only() {
        let minute = Duration::from_secs(60);
        let (plain, encrypted) = (Cookie::Plain.set("x", minute), Cookie::Encrypted.set("", Duration::ZERO));
        assert_eq!(plain, "signwave=x; Path=/; Max-Age=60; HttpOnly; SameSite=Strict");
        assert_eq!(encrypted, "__Host-signwave=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict; Secure");
    }
}
