//! Listeners: the sockets, taken before the service starts, so that an address in use is an error at once.

use std::{
    fs, io,
    net::TcpListener,
    os::unix::{
        fs::PermissionsExt,
        net::{UnixListener, UnixStream},
    },
    path::{Path, PathBuf},
};

use super::tls::Identity;
use crate::config::Listen;

/// A socket that listens, and what is answered there.
pub struct Listener {
    /// Where it listens, with the port that the system chose if none was named.
    pub place: Listen,
    /// Encryption, if any.
    pub access: Access,
    pub(super) socket: Socket,
}

/// Whether connections are encrypted.
#[derive(Clone)]
pub enum Access {
    /// HTTPS with this identity.
    Tls(Identity),
    /// HTTP.
    Plain,
}

pub(super) enum Socket {
    Tcp(TcpListener),
    Unix(UnixListener, Unlink),
}

/// An address that cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// Another program listens there.
    #[error("another program listens at {0} already: stop it, or name another address with --listen")]
    InUse(Listen),
    /// Anybody on the network could read the tokens.
    #[error(
        "other machines can reach {0}, where the API would speak HTTP without encryption: name a certificate with \
         --tls-certificate and --tls-key, or allow it with --plain-http"
    )]
    Unencrypted(Listen),
    /// The operating system refuses.
    #[error("cannot listen at {0}: {1}")]
    Refused(Listen, io::Error),
}

impl Listener {
    /// Listens at `place`; `None` where the place is nowhere.
    ///
    /// # Errors
    /// See [`ListenError`].
    pub fn bind(place: &Listen, access: Access, allows_plain: bool) -> Result<Option<Self>, ListenError> {
        if matches!(access, Access::Plain) && !place.is_local() && !allows_plain {
            return Err(ListenError::Unencrypted(place.clone()));
        }
        let bound = match place {
            Listen::Nowhere => return Ok(None),
            Listen::Tcp(address) => TcpListener::bind(address).map(Socket::Tcp),
            Listen::Unix(path) => bind_unix(path),
        };
        let socket = bound.map_err(|error| match error.kind() {
            io::ErrorKind::AddrInUse => ListenError::InUse(place.clone()),
            _ => ListenError::Refused(place.clone(), error),
        })?;
        let place = match &socket {
            Socket::Tcp(listener) => {
                let address = listener.local_addr();
                Listen::Tcp(address.map_err(|error| ListenError::Refused(place.clone(), error))?)
            }
            Socket::Unix(..) => place.clone(),
        };
        // A socket in a folder is as private as the folder and its mode: it needs no encryption.
        let access = if matches!(socket, Socket::Unix(..)) { Access::Plain } else { access };
        Ok(Some(Self { place, access, socket }))
    }

    /// The address for people and for curl.
    pub fn url(&self) -> String {
        match (&self.place, &self.access) {
            (Listen::Tcp(address), Access::Tls(_)) => format!("https://{address}"),
            (Listen::Tcp(address), Access::Plain) => format!("http://{address}"),
            (place, _) => place.to_string(),
        }
    }
}

/// Makes a socket that its user and group can use. A socket that a killed process left behind is replaced.
fn bind_unix(path: &Path) -> io::Result<Socket> {
    if UnixStream::connect(path).is_ok() {
        return Err(io::ErrorKind::AddrInUse.into());
    }
    if fs::symlink_metadata(path)
        .is_ok_and(|found| !std::os::unix::fs::FileTypeExt::is_socket(&found.file_type()))
    {
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, "a file that is no socket has this name"));
    }
    // It gets its name when its mode is right. Others cannot connect earlier.
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}", std::process::id()));
    let hidden = path.with_file_name(name);
    let listener = UnixListener::bind(&hidden)?;
    let named = fs::set_permissions(&hidden, fs::Permissions::from_mode(0o660))
        .and_then(|()| fs::rename(&hidden, path));
    if let Err(error) = named {
        drop(fs::remove_file(&hidden));
        return Err(error);
    }
    Ok(Socket::Unix(listener, Unlink(path.to_owned())))
}

/// Removes the name of a socket when the service ends.
pub(super) struct Unlink(PathBuf);

impl Drop for Unlink {
    fn drop(&mut self) {
        drop(fs::remove_file(&self.0));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bind(place: &str) -> Result<Option<Listener>, ListenError> {
        Listener::bind(&place.parse().unwrap(), Access::Plain, false)
    }

    #[test]
    fn an_address_is_had_once_and_the_chosen_port_is_named() {
        let first = bind("127.0.0.1:0").unwrap().unwrap();
        assert!(!first.url().ends_with(":0"), "{}", first.url());
        assert!(matches!(bind(&first.place.to_string()), Err(ListenError::InUse(_))));
        assert!(bind("none").unwrap().is_none());
    }

    #[test]
    fn plain_http_for_other_machines_must_be_allowed() {
        assert!(matches!(bind("0.0.0.0:0"), Err(ListenError::Unencrypted(_))));
        assert!(Listener::bind(&"0.0.0.0:0".parse().unwrap(), Access::Plain, true).unwrap().is_some());
    }

    #[test]
    fn a_socket_is_for_user_and_group_replaces_a_dead_one_and_goes_with_the_service() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("api.sock");
        let place = format!("unix:{}", path.display());
        drop(UnixListener::bind(&path).unwrap()); // a dead one
        let listener = bind(&place).unwrap().unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o660);
        assert!(matches!(bind(&place), Err(ListenError::InUse(_))));
        drop(listener);
        assert!(!path.exists());
        fs::write(&path, "a file").unwrap();
        assert!(matches!(bind(&place), Err(ListenError::Refused(..))));
        assert_eq!(fs::read(&path).unwrap(), b"a file");
    }
}
