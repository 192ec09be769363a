//! Listening for notifications (NOTIFY).

use std::{
    thread::sleep,
    time::{Duration, Instant},
};

use diesel::{PgConnection, connection::SimpleConnection};

use super::{
    PostgresStore,
    connection::connect,
    errors::Failure,
    session::{Role, Session},
};
use crate::store::{Listener, News, StoreError};

/// How often to poll for notifications: libpq returns those that have arrived without waiting for more, and
/// diesel gives no access to the socket to wait on.
const LOOK: Duration = Duration::from_millis(2);

impl News for PostgresStore {
    fn listener(&self) -> Result<Option<Box<dyn Listener>>, StoreError> {
        self.listen("signwave")
    }

    fn feed_listener(&self) -> Result<Option<Box<dyn Listener>>, StoreError> {
        self.listen("signwave_feed")
    }
}

impl PostgresStore {
    fn listen(&self, channel: &'static str) -> Result<Option<Box<dyn Listener>>, StoreError> {
        let session = self.session.of(Role::Once);
        let connection = Some(listen(&self.url, &session, channel)?);
        Ok(Some(Box::new(PostgresListener { url: self.url.clone(), session, channel, connection })))
    }
}

/// A connection that only listens.
struct PostgresListener {
    url: String,
    session: Session,
    channel: &'static str,
    connection: Option<PgConnection>,
}

fn listen(url: &str, session: &Session, channel: &str) -> Result<PgConnection, StoreError> {
    let mut connection = connect(url, session)?;
    connection.batch_execute(&format!("LISTEN {channel}")).map_err(Failure::from)?;
    Ok(connection)
}

/// Whether notifications have arrived. Takes all of them.
fn has_news(connection: &mut PgConnection) -> Result<bool, Failure> {
    let mut any = false;
    for notification in connection.notifications_iter() {
        notification?;
        any = true;
    }
    Ok(any)
}

impl Listener for PostgresListener {
    fn wait(&mut self, timeout: Duration) -> Result<bool, StoreError> {
        let Some(connection) = &mut self.connection else {
            self.connection = Some(listen(&self.url, &self.session, self.channel)?);
            // Earlier notifications were missed.
            return Ok(true);
        };
        let begun = Instant::now();
        loop {
            match has_news(connection) {
                Ok(true) => return Ok(true),
                Ok(false) if begun.elapsed() >= timeout => return Ok(false),
                Ok(false) => sleep(LOOK.min(timeout)),
                Err(failure) => {
                    self.connection = None;
                    // No statement runs here that a server could refuse, so the connection is lost.
                    return Err(match failure.into() {
                        StoreError::Other(text) => StoreError::Unavailable(text),
                        error => error,
                    });
                }
            }
        }
    }
}
