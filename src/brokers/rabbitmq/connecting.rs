//! A connection with one channel. lapin itself has no limit of time, and does not recover what is lost: the number of a
//! message of a lost channel would then name another message.

use std::{
    fs::File,
    io::{self, Read},
    path::Path,
    time::Duration,
};

use lapin::{Channel, Connection, ConnectionProperties, runtime::default_runtime, tcp::OwnedTLSConfig};
use tokio::time::timeout;

use super::endpoint::Endpoint;
use crate::{brokers::BrokerError, formats::shown::field};

/// How long a connection and what is opened on it may take.
const CONNECTING: Duration = Duration::from_secs(10);

/// The largest file of certificates; reading stops there.
const MAX_CERTIFICATES: u64 = 1 << 20;

/// Connects, under a name that the broker shows, and opens on a new channel what the caller needs. All of it takes ten
/// seconds at most.
///
/// # Errors
/// Why that is not possible now.
pub async fn connect<T>(
    to: &Endpoint,
    name: &str,
    open: impl AsyncFnOnce(&Channel) -> lapin::Result<T>,
) -> Result<(Connection, Channel, T), BrokerError> {
    let certificates = to.authorities.as_deref().map(read_certificates).transpose()?;
    let tls = OwnedTLSConfig { identity: None, cert_chain: certificates };
    let connecting = async {
        let properties = ConnectionProperties::default().with_connection_name(name.into());
        let connecting =
            Connection::connect_uri_with_config(to.uri.clone(), properties, tls, default_runtime()?);
        let connection = connecting.await?;
        let channel = connection.create_channel().await?;
        let opened = open(&channel).await?;
        Ok((connection, channel, opened))
    };
    within(CONNECTING, connecting).await
}

/// The result of an attempt, which may take so long.
///
/// # Errors
/// That of the attempt, or that it took longer.
pub async fn within<T>(
    limit: Duration,
    attempt: impl Future<Output = lapin::Result<T>>,
) -> Result<T, BrokerError> {
    match timeout(limit, attempt).await {
        Ok(result) => result.map_err(|error| said(&error)),
        Err(_) => Err(BrokerError(format!("the broker did not answer within {} s", limit.as_secs()))),
    }
}

/// An error in one line. The broker writes a part of it.
pub fn said(error: &lapin::Error) -> BrokerError {
    BrokerError(field(&error.to_string()))
}

fn read_certificates(path: &Path) -> Result<String, BrokerError> {
    let read = || {
        let mut text = String::new();
        File::open(path)?.take(MAX_CERTIFICATES + 1).read_to_string(&mut text)?;
        if text.len() as u64 > MAX_CERTIFICATES {
            return Err(io::Error::from(io::ErrorKind::FileTooLarge));
        }
        Ok(text)
    };
    read().map_err(|error| {
        BrokerError(format!("the certificates in '{}' cannot be read: {error}", path.display()))
    })
}
