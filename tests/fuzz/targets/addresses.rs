//! Where messages are sent and come from: webhooks and brokers.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use signwave::{
    intake, publishing,
    store::WebhookRow,
    webhooks::{Endpoint, EndpointError},
};

/// The address of a webhook. What is taken has one form, nothing in it can break out of a head of HTTP, and it names no
/// internal address, however that is written.
pub fn webhook_address(bytes: &[u8]) {
    let Some(text) = super::text(bytes) else { return };
    let [public, any] = [false, true].map(|allow_internal| Endpoint::parse(text, allow_internal));
    for (endpoint, allow_internal) in [(&public, false), (&any, true)] {
        match endpoint {
            Ok(endpoint) => {
                let url = endpoint.as_str();
                assert!(url.len() <= WebhookRow::LONGEST_URL);
                assert!(url.bytes().all(|byte| (b'!'..=b'~').contains(&byte)), "{url}");
                assert!(!url.contains('#'), "{url}");
                assert_eq!(Endpoint::parse(url, allow_internal).as_ref(), Ok(endpoint), "{url}");
            }
            Err(error) => short(&error.to_string()),
        }
    }
    if let Ok(endpoint) = &public {
        assert_eq!(any.as_ref().map(Endpoint::as_str), Ok(endpoint.as_str()));
        let rest = endpoint.as_str().strip_prefix("https://").expect("only https is public");
        let authority = rest.split(['/', '?']).next().unwrap_or_default();
        assert!(!authority.contains('@'), "{authority}");
        outside(authority);
    }
    if let Ok(endpoint) = &any
        && endpoint.as_str().starts_with("https://")
    {
        let is_internal = matches!(public, Err(EndpointError::Internal(_)));
        assert!(public.is_ok() || is_internal, "https that may be internal is refused otherwise: {public:?}");
    }
}

/// The host leads outside, as far as its text says, by what the standard library knows of addresses.
fn outside(authority: &str) {
    let (host, port) = match authority.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some(parts) => parts,
        None => authority.split_at(authority.find(':').unwrap_or(authority.len())),
    };
    assert!(port.is_empty() || port[1..].parse::<u16>().is_ok(), "{authority}");
    match host.parse::<IpAddr>() {
        Ok(IpAddr::V4(address)) => assert!(!is_inside(address), "{host}"),
        Ok(IpAddr::V6(address)) => assert!(!is_inside_v6(address), "{host}"),
        // What ends in a number is an address to a resolver.
        Err(_) => {
            let last = host.trim_end_matches('.').rsplit('.').next().unwrap_or_default();
            let hex = last.strip_prefix("0x").unwrap_or("-");
            assert!(
                host.strip_suffix('.').unwrap_or(host).split('.').all(|label| !label.is_empty()),
                "{host}"
            );
            assert!(last.bytes().any(|byte| !byte.is_ascii_digit()), "{host}");
            assert!(hex.bytes().any(|byte| !byte.is_ascii_hexdigit()), "{host}");
        }
    }
}

fn is_inside(address: Ipv4Addr) -> bool {
    address.is_loopback()
        || address.is_private()
        || address.is_link_local()
        || address.is_multicast()
        || address.is_broadcast()
        || address.is_documentation()
        || address.octets()[0] == 0
}

fn is_inside_v6(address: Ipv6Addr) -> bool {
    let [.., high, low] = address.segments();
    let embedded = Ipv4Addr::from(u32::from(high) << 16 | u32::from(low));
    let embeds = address.to_ipv4_mapped().is_some() || address.segments()[..6] == [0x64, 0xff9b, 0, 0, 0, 0];
    address.is_loopback()
        || address.is_unspecified()
        || address.is_multicast()
        || address.is_unique_local()
        || address.is_unicast_link_local()
        || embeds && is_inside(embedded)
}

/// The address of a broker, to take from and to publish to. What is shown of it, and what names the position, is the same for
/// every user and every password.
pub fn broker_address(bytes: &[u8]) {
    let Some(text) = super::text(bytes) else { return };
    match text.parse::<intake::Address>() {
        Ok(address) => {
            let shown = named(&address);
            with_another_user(text, |text| {
                assert_eq!(text.parse::<intake::Address>().as_ref().map(named), Ok(shown));
            });
        }
        Err(error) => short(&error.to_string()),
    }
    match text.parse::<publishing::Address>() {
        Ok(address) => {
            let shown = named(&address);
            assert!(!shown.contains('@'), "{shown}");
            with_another_user(text, |text| {
                assert_eq!(text.parse::<publishing::Address>().as_ref().map(named), Ok(shown.clone()));
            });
            if !shown.starts_with("publish:") {
                let again = shown.parse::<publishing::Address>();
                assert_eq!(again.as_ref().map(named), Ok(shown.clone()), "it is an address, too");
            }
        }
        Err(error) => short(&error.to_string()),
    }
}

/// The name under which the position is kept, or the refused messages are.
fn named<A: ToString + std::fmt::Debug>(address: &A) -> String {
    let shown = address.to_string();
    assert_eq!(shown, format!("{address:?}"));
    assert!((1..=1024).contains(&shown.len()), "as the schema has it: {shown}");
    shown
}

/// Calls `check` with the same address for another user, if it has one.
fn with_another_user(text: &str, check: impl FnOnce(&str)) {
    let (scheme, rest) = text.split_once("://").expect("it was parsed");
    let (head, query) = rest.split_at(rest.find('?').unwrap_or(rest.len()));
    let place = head.find('/').unwrap_or(head.len());
    if let Some((_, host)) = head[..place].rsplit_once('@') {
        check(&format!("{scheme}://Ada:another%20secret@{host}{}{query}", &head[place..]));
    }
}

/// An error that a person reads.
fn short(error: &str) {
    assert!(error.len() <= 500 && !error.contains(char::is_control), "{error:?}");
}
