//! Where `serve` listens: takes the sockets before anything else is started.

use anyhow::{Result, bail};

use super::{
    failure::Usage,
    limits,
    options::{Dashboard, ServeOptions},
};
use crate::{
    config::Listen,
    http::{Access, Hosts, Identity, ListenError, Listener, Server, Surface, TlsFiles},
};

/// Takes the sockets that `options` name. If no address is named and the default one is taken, as by another
/// process of this machine, the service works without an API. `None` if it listens nowhere.
pub fn bind(options: &ServeOptions) -> Result<Option<Server>> {
    let access = access(options)?;
    let bind = |place: &Listen| Listener::bind(place, access.clone(), options.plain_http);
    let api = match (&options.listen, bind(options.listen.as_ref().unwrap_or(&Listen::API))) {
        (None, Err(ListenError::InUse(place))) => {
            log::info!(
                "another program listens at {place}: this process has no HTTP API; --listen names another address"
            );
            None
        }
        (_, bound) => bound?,
    };
    let admin = bind(&options.admin_listen)?;
    let listeners = [(api, Surface::Api), (admin, Surface::Admin)];
    let listeners: Vec<_> =
        listeners.into_iter().filter_map(|(listener, surface)| Some((listener?, surface))).collect();
    let hosts = Hosts { names: options.allowed_hosts.clone(), origins: options.cors_origins.clone() };
    let has_dashboard = options.dashboard == Dashboard::On;
    Ok(Some(Server { listeners, hosts, connections: limits::http_connections(), has_dashboard })
        .filter(|server| !server.listeners.is_empty()))
}

fn access(options: &ServeOptions) -> Result<Access> {
    let ServeOptions { tls_certificate, tls_key, tls_client_ca, .. } = options;
    match (tls_certificate, tls_key) {
        (Some(certificate), Some(key)) => {
            let (certificate, key, client_ca) = (certificate.clone(), key.clone(), tls_client_ca.clone());
            Ok(Access::Tls(Identity::read(TlsFiles { certificate, key, client_ca })?))
        }
        (None, None) if tls_client_ca.is_none() => Ok(Access::Plain),
        _ => bail!(Usage("TLS needs both --tls-certificate and --tls-key".to_owned())),
    }
}
