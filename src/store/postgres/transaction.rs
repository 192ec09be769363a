//! Transactions: how each begins and ends, and what its end can mean.

use std::{thread::sleep, time::Duration};

use diesel::{
    PgConnection,
    connection::{AnsiTransactionManager, TransactionManager},
    r2d2::{ConnectionManager, PooledConnection},
};

use super::{
    PostgresStore,
    connection::PgPool,
    errors::{Failure, classify_commit},
};
use crate::store::StoreError;

/// What only one node may do at a time, in the whole cluster.
#[derive(Clone, Copy, Debug)]
pub(super) enum Turn {
    /// Forming batches.
    Open = 1,
    /// Choosing keys.
    Lease = 2,
    /// Changing the schema.
    Migrate = 3,
}

/// The first half of our advisory locks' names: 'sign' in ASCII.
const SIGN: i32 = 0x7369_676e;

/// Each statement sees what was committed before it, so that what follows waiting for a turn sees
/// what those before did.
const READ_COMMITTED: &str = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE";
const SNAPSHOT: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

/// How often a transaction is tried that collides with others, or whose connection is lost before its
/// COMMIT.
const ATTEMPTS: u32 = 10;

impl PostgresStore {
    /// Runs `body` in one transaction that writes. Its error rolls everything back. It may run several
    /// times, when others are in the way.
    pub(super) fn write<T>(
        &self,
        body: impl FnMut(&mut PgConnection) -> Result<T, Failure>,
    ) -> Result<T, StoreError> {
        run(&self.short, READ_COMMITTED, body)
    }

    /// The same, alone: other nodes wait for their turn.
    pub(super) fn write_in_turn<T>(
        &self,
        turn: Turn,
        body: impl FnMut(&mut PgConnection) -> Result<T, Failure>,
    ) -> Result<T, StoreError> {
        run(&self.short, &in_turn(turn), body)
    }

    /// Runs `body` on one snapshot of the database.
    pub(super) fn read<T>(
        &self,
        body: impl FnMut(&mut PgConnection) -> Result<T, Failure>,
    ) -> Result<T, StoreError> {
        run(&self.readers, SNAPSHOT, body)
    }

    /// Runs `body`, a single short statement, which is a transaction in itself.
    pub(super) fn query<T>(
        &self,
        body: impl FnMut(&mut PgConnection) -> Result<T, Failure>,
    ) -> Result<T, StoreError> {
        again_if_stale(&self.short, body)
    }

    /// Runs `body`, short statements that only read, no more than once.
    pub(super) fn query_once<T>(
        &self,
        body: impl FnOnce(&mut PgConnection) -> Result<T, Failure>,
    ) -> Result<T, StoreError> {
        once(&self.short, body)
    }

    /// Runs `body`, a single statement that may take its time.
    pub(super) fn long_query<T>(
        &self,
        body: impl FnMut(&mut PgConnection) -> Result<T, Failure>,
    ) -> Result<T, StoreError> {
        again_if_stale(&self.readers, body)
    }
}

/// A transaction that begins by waiting for its turn.
///
/// Forming batches does not wait for the disk. A crash of the server may undo it, but only together with
/// everything after it in the log: no batch that was leased is ever undone, since leases are durable.
fn in_turn(turn: Turn) -> String {
    let durability = match turn {
        Turn::Open => "; SET LOCAL synchronous_commit = off",
        Turn::Lease | Turn::Migrate => "",
    };
    format!("{READ_COMMITTED}{durability}; SELECT pg_advisory_xact_lock({SIGN}, {})", turn as i32)
}

/// One transaction alone, on a connection of its own.
pub(super) fn write_in_turn_on<T>(
    connection: &mut PgConnection,
    turn: Turn,
    body: impl FnOnce(&mut PgConnection) -> Result<T, Failure>,
) -> Result<T, StoreError> {
    AnsiTransactionManager::begin_transaction_sql(connection, &in_turn(turn)).map_err(Failure::from)?;
    Ok(finish(connection, body)?)
}

fn run<T>(
    pool: &PgPool,
    begin: &str,
    mut body: impl FnMut(&mut PgConnection) -> Result<T, Failure>,
) -> Result<T, StoreError> {
    let mut attempt = 1;
    loop {
        let mut connection = checkout(pool)?;
        let began =
            AnsiTransactionManager::begin_transaction_sql(&mut *connection, begin).map_err(Failure::from);
        if began.is_err() {
            give_up(&mut connection);
        }
        let failure = match began.and_then(|()| finish(&mut connection, &mut body)) {
            Ok(value) => return Ok(value),
            // Lost before the COMMIT, such as one that the pool kept while the server was started anew:
            // nothing has happened.
            Err(Failure::Store(StoreError::Unavailable(message))) => Failure::Collided(message),
            Err(failure) => failure,
        };
        match failure {
            Failure::Collided(reason) if attempt < ATTEMPTS => {
                log::debug!("transaction tried again: {reason}");
                drop(connection);
                sleep(jitter(attempt));
                attempt += 1;
            }
            Failure::Collided(reason) => return Err(StoreError::Unavailable(reason)),
            Failure::Store(error) => return Err(error),
        }
    }
}

/// What if we die here? Before the COMMIT reaches the server nothing happened: it rolls back when it
/// finds the connection gone. After that all of it happened, or happens in a moment: only reading back
/// can tell.
fn finish<T>(
    connection: &mut PgConnection,
    body: impl FnOnce(&mut PgConnection) -> Result<T, Failure>,
) -> Result<T, Failure> {
    match body(connection) {
        Ok(value) => {
            AnsiTransactionManager::commit_transaction(connection).map_err(classify_commit)?;
            Ok(value)
        }
        Err(failure) => {
            // On a lost connection this fails, and the pool drops it.
            let _ = AnsiTransactionManager::rollback_transaction(connection);
            Err(failure)
        }
    }
}

/// A statement that only reads can be sent again on another connection.
fn again_if_stale<T>(
    pool: &PgPool,
    mut body: impl FnMut(&mut PgConnection) -> Result<T, Failure>,
) -> Result<T, StoreError> {
    let mut attempt = 1;
    loop {
        match once(pool, &mut body) {
            Err(StoreError::Unavailable(_)) if attempt < ATTEMPTS => {
                sleep(jitter(attempt));
                attempt += 1;
            }
            result => return result,
        }
    }
}

/// Diesel notices that a connection is lost when it reads, not when it cannot send: the pool would lend it
/// out again and again.
fn once<T>(
    pool: &PgPool,
    body: impl FnOnce(&mut PgConnection) -> Result<T, Failure>,
) -> Result<T, StoreError> {
    let mut connection = checkout(pool)?;
    let result = body(&mut connection).map_err(StoreError::from);
    if matches!(result, Err(StoreError::Unavailable(_))) {
        give_up(&mut connection);
    }
    result
}

/// Marks a connection so that the pool replaces it.
fn give_up(connection: &mut PgConnection) {
    AnsiTransactionManager::transaction_manager_status_mut(connection).set_in_error();
}

/// Pauses of 1, 2, 4 .. 64 ms and up to as much again, so that those who collided do not meet again.
fn jitter(attempt: u32) -> Duration {
    let most = 1_000 << attempt.min(6);
    let mut random = [0; 4];
    // Without random bytes the pauses are merely alike.
    let _ = rustix::rand::getrandom(&mut random, rustix::rand::GetRandomFlags::NONBLOCK);
    Duration::from_micros(most / 2 + u64::from(u32::from_ne_bytes(random)) % (most / 2))
}

fn checkout(pool: &PgPool) -> Result<PooledConnection<ConnectionManager<PgConnection>>, StoreError> {
    pool.get().map_err(|error| StoreError::Unavailable(super::errors::one_line(&error.to_string())))
}
