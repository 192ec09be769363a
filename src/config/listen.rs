//! Where a service listens.

use std::{fmt, net::SocketAddr, path::PathBuf, str::FromStr};

/// Where a service listens.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Listen {
    /// Nowhere.
    #[default]
    Nowhere,
    /// On an address and a port.
    Tcp(SocketAddr),
    /// On a UNIX socket with this path.
    Unix(PathBuf),
}

/// A text that names no place to listen at.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is no address to listen at: use IP:PORT, such as 127.0.0.1:7446, or unix:PATH, or none")]
pub struct UnknownListen(String);

impl Listen {
    /// The address of the API unless another one is set. Port 7446 spells SIGN on a telephone.
    pub const API: Self =
        Self::Tcp(SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 7446));

    /// Whether only programs of this machine can connect.
    pub fn is_local(&self) -> bool {
        match self {
            Self::Nowhere | Self::Unix(_) => true,
            Self::Tcp(address) => address.ip().is_loopback(),
        }
    }
}

impl FromStr for Listen {
    type Err = UnknownListen;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let unknown = || UnknownListen(text.to_owned());
        match text.split_once(':') {
            None if text == "none" => Ok(Self::Nowhere),
            Some(("unix", "")) => Err(unknown()),
            Some(("unix", path)) => Ok(Self::Unix(path.into())),
            Some(("localhost", port)) => {
                format!("127.0.0.1:{port}").parse().map(Self::Tcp).map_err(|_| unknown())
            }
            _ => text.parse().map(Self::Tcp).map_err(|_| unknown()),
        }
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nowhere => f.write_str("none"),
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_read_as_it_is_shown() {
        for text in ["none", "127.0.0.1:7446", "[::1]:80", "0.0.0.0:0", "unix:/run/signwave.sock", "unix:a:b"]
        {
            assert_eq!(text.parse::<Listen>().map(|listen| listen.to_string()), Ok(text.to_owned()));
        }
        assert_eq!(
            "localhost:80".parse::<Listen>().map(|listen| listen.to_string()),
            Ok("127.0.0.1:80".to_owned())
        );
        assert_eq!("127.0.0.1:7446".parse(), Ok(Listen::API));
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in
            ["", "7446", ":7446", "None", "unix:", "localhost", "127.0.0.1", "1.2.3.4:99999", "host:80"]
        {
            assert!(text.parse::<Listen>().is_err(), "{text}");
        }
    }

    #[test]
    fn only_loopback_and_sockets_are_local() {
        let is_local = |text: &str| text.parse::<Listen>().is_ok_and(|listen| listen.is_local());
        assert!(["127.0.0.2:1", "[::1]:1", "unix:a", "none"].into_iter().all(is_local));
        assert!(!["0.0.0.0:1", "[::]:1", "192.168.1.1:1"].into_iter().any(is_local));
    }
}
