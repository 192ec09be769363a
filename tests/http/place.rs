//! A database of either kind with a service that answers for it.

use std::{net::SocketAddr, ops::Deref, time::Duration};

use support::{
    api::Api,
    place,
    proxy::Proxy,
    waiting::{lasting, until},
};

/// A database, and the folder in which commands for it run.
pub struct Place(place::Place<'static>);

impl Deref for Place {
    type Target = place::Place<'static>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl Place {
    /// An SQLite database with keys.
    pub fn sqlite() -> Self {
        Self(place::Place::sqlite())
    }

    /// A database on a PostgreSQL server, with keys.
    pub fn postgres() -> Self {
        Self(place::Place::postgres("http"))
    }

    /// The same, behind a proxy.
    pub fn through(self, proxy: &Proxy) -> Self {
        Self(self.0.through(proxy))
    }

    /// One of each kind.
    pub fn of_each_kind() -> [Self; 2] {
        [Self::sqlite(), Self::postgres()]
    }

    /// Starts a service that answers on any port.
    pub fn serve(&self, arguments: &[&str]) -> Api {
        self.serve_at("127.0.0.1:0", arguments)
    }

    /// Starts a service that answers there.
    pub fn serve_at(&self, address: &str, arguments: &[&str]) -> Api {
        Api::of(self.command(&[&["serve", "--listen", address], arguments].concat()), self.log())
    }

    /// A token with these scopes.
    pub fn token(&self, scope: &str) -> String {
        self.ok(&["tokens", "create", "--name", "test", "--scope", scope]).trim().to_owned()
    }

    /// Every record has one signature, and everything that was promised holds.
    pub fn check_all_signed(&self) {
        let (records, mut signed) = (self.records(), -1);
        while signed < records {
            let before = signed;
            until("more is signed", Duration::from_secs(60), || {
                lasting(Duration::from_millis(100)); // counting takes the server from the signers
                signed = self.number("SELECT count(*) FROM signature");
                signed > before
            });
        }
        self.ok(&["verify"]);
    }
}

/// Where a service answers.
pub fn address(api: &Api) -> SocketAddr {
    api.url.strip_prefix("http://").unwrap().parse().unwrap()
}
