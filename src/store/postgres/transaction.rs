//! Transactions: how each begins and ends, and what its end can mean.

use std::{
    thread::sleep,
    time::{Duration, Instant},
};

use diesel::{
    PgConnection,
    connection::{AnsiTransactionManager, SimpleConnection, TransactionManager},
    r2d2::R2D2Connection,
};

use super::{
    errors::{Failure, classify_commit},
    holders::holders,
    pool::PgPool,
    session::Role,
    tables,
};
use crate::store::StoreError;

/// What only one node may do at a time, in the whole cluster.
#[derive(Clone, Copy, Debug)]
pub(super) enum Turn {
    /// Forming batches.
    Open,
    /// Choosing keys.
    Lease,
    /// A change with a row of the audit log, such as that of a key.
    Audit,
    /// The same, while no keys are chosen.
    AuditAndLease,
    /// Giving signed batches their positions in the feed.
    Sequence,
    /// Changing the schema.
    Migrate,
}

/// Each statement sees what was committed before it, so that a node that has waited for its turn sees what the
/// nodes before it did.
pub(super) const READ_COMMITTED: &str = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE";
pub(super) const SNAPSHOT: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

/// How many attempts a transaction has that collides with others, or whose connection is lost before its
/// COMMIT.
const COLLIDED_ATTEMPTS: u32 = 10;

/// How many attempts a transaction has that the server refuses for an unknown reason, such as a deadlock.
const UNFORESEEN_ATTEMPTS: u32 = 5;

/// A little less than the `lock_timeout` of the sessions: a statement that was refused after this time has
/// waited for a lock.
const LOCK_TIMEOUT: Duration = Duration::from_millis(4_900);

/// The statements that begin a transaction and wait for its turn. A turn is a lock that only roles with Sign
/// Wave's rights to write can take. Migrations run before there are tables, so they take an advisory lock,
/// which any role may hold. That wait has an end, and the error names the process that holds the lock.
///
/// Forming batches does not wait for the disk. A crash of the server may undo it, but only together with
/// everything after it in the log: no batch that was leased is ever undone, because leases are durable.
pub(super) fn in_turn(turn: Turn) -> String {
    let lock = match turn {
        Turn::Open => {
            "SET LOCAL synchronous_commit = off; LOCK TABLE ONLY opening_turn IN SHARE ROW EXCLUSIVE MODE"
        }
        Turn::Lease => "LOCK TABLE ONLY leasing_turn IN SHARE ROW EXCLUSIVE MODE",
        Turn::Audit => "LOCK TABLE ONLY auditing_turn IN SHARE ROW EXCLUSIVE MODE",
        Turn::AuditAndLease => "LOCK TABLE ONLY auditing_turn, ONLY leasing_turn IN SHARE ROW EXCLUSIVE MODE",
        Turn::Sequence => "LOCK TABLE ONLY sequencing_turn IN SHARE ROW EXCLUSIVE MODE",
        // 'sign' in ASCII, and a number that only migrations use.
        Turn::Migrate => "SELECT pg_advisory_xact_lock(1936287598, 3)",
    };
    format!("{READ_COMMITTED}; {lock}")
}

/// Runs one transaction in its turn, on a separate connection.
pub(super) fn write_in_turn_on<T>(
    connection: &mut PgConnection,
    turn: Turn,
    body: impl FnOnce(&mut PgConnection) -> Result<T, Failure>,
) -> Result<T, StoreError> {
    let begun = Instant::now();
    attempt(connection, &in_turn(turn), body).map_err(|failure| {
        let failure = judged(connection, failure, begun, Role::Once);
        explained(connection, failure)
    })
}

pub(super) fn run<T>(
    pool: &PgPool,
    begin: &str,
    mut body: impl FnMut(&mut PgConnection) -> Result<T, Failure>,
) -> Result<T, StoreError> {
    let mut tries = 1;
    loop {
        let mut connection = pool.checkout()?;
        let begun = Instant::now();
        let failure = match attempt(&mut connection, begin, &mut body) {
            Ok(value) => return Ok(value),
            Err(failure) => judged(&mut connection, failure, begun, pool.role),
        };
        let may_try = match &failure {
            // The connection was lost before the COMMIT, such as a pooled one after a restart of the server:
            // nothing has happened.
            Failure::Collided(_) | Failure::Store(StoreError::Unavailable(_)) => tries < COLLIDED_ATTEMPTS,
            Failure::Unforeseen(_) => tries < UNFORESEEN_ATTEMPTS,
            Failure::Store(_) => false,
        };
        if !may_try {
            return Err(explained(&mut connection, failure));
        }
        log::debug!("retrying a transaction: {failure:?}");
        drop(connection);
        sleep(pause_after(tries));
        tries += 1;
    }
}

/// One attempt, which begins and ends the transaction.
fn attempt<T>(
    connection: &mut PgConnection,
    begin: &str,
    body: impl FnOnce(&mut PgConnection) -> Result<T, Failure>,
) -> Result<T, Failure> {
    if let Err(error) = AnsiTransactionManager::begin_transaction_sql(connection, begin) {
        // The transaction may have begun without getting its lock. On a lost connection the ROLLBACK fails.
        let _ = connection.batch_execute("ROLLBACK");
        return Err(error.into());
    }
    finish(connection, body)
}

/// What a failure means, now that the transaction is over. Whether the connection is alive, and how long the
/// transaction took, tell more than the server's text.
fn judged(connection: &mut PgConnection, failure: Failure, begun: Instant, role: Role) -> Failure {
    let took = begun.elapsed();
    match failure {
        Failure::Unforeseen(text) if connection.ping().is_err() => {
            give_up(connection);
            StoreError::Unavailable(text).into()
        }
        Failure::Unforeseen(text) if took >= LOCK_TIMEOUT => match holders(connection) {
            // A long read may take that long without waiting for a lock.
            None if role == Role::Reader => Failure::Unforeseen(text),
            None => StoreError::HeldUp(format!("gave up after {} s ({text})", took.as_secs())).into(),
            Some(holders) => {
                StoreError::HeldUp(format!("gave up after {} s, while {holders} ({text})", took.as_secs()))
                    .into()
            }
        },
        Failure::Store(error @ StoreError::Unavailable(_)) => {
            give_up(connection);
            error.into()
        }
        failure => failure,
    }
}

/// Explains an unforeseen refusal in our words where the tables themselves show the reason.
pub(super) fn explained(connection: &mut PgConnection, failure: Failure) -> StoreError {
    match (&failure, matches!(failure, Failure::Unforeseen(_)).then(|| tables::problem(connection))) {
        (Failure::Unforeseen(text), Some(Ok(Some(problem)))) => {
            StoreError::Unusable(format!("{problem} ({text})"))
        }
        _ => failure.into(),
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
pub(super) fn again_if_stale<T>(
    pool: &PgPool,
    mut body: impl FnMut(&mut PgConnection) -> Result<T, Failure>,
) -> Result<T, StoreError> {
    let mut tries = 1;
    loop {
        match once(pool, &mut body) {
            Err(StoreError::Unavailable(_)) if tries < COLLIDED_ATTEMPTS => {}
            Err(StoreError::Other(_)) if tries < UNFORESEEN_ATTEMPTS => {}
            result => return result,
        }
        sleep(pause_after(tries));
        tries += 1;
    }
}

/// Runs `body` once. Diesel notices a lost connection when it reads, but not when it cannot send. So a failure
/// is judged here, because the pool would otherwise lend that connection out again and again.
pub(super) fn once<T>(
    pool: &PgPool,
    body: impl FnOnce(&mut PgConnection) -> Result<T, Failure>,
) -> Result<T, StoreError> {
    let mut connection = pool.checkout()?;
    let begun = Instant::now();
    body(&mut connection).map_err(|failure| {
        let failure = judged(&mut connection, failure, begun, pool.role);
        explained(&mut connection, failure)
    })
}

/// Marks a connection so that the pool replaces it.
fn give_up(connection: &mut PgConnection) {
    AnsiTransactionManager::transaction_manager_status_mut(connection).set_in_error();
}

/// The least pause after the first attempt, in microseconds. It doubles after each of the next.
const FIRST_PAUSE: u64 = 1_000;
/// How often it doubles: up to 32 ms.
const DOUBLINGS: u32 = 5;

/// That pause and a random part of up to the same length, so that transactions that collided do not collide
/// again.
fn pause_after(attempt: u32) -> Duration {
    let least = FIRST_PAUSE << attempt.saturating_sub(1).min(DOUBLINGS);
    let mut random = [0; 4];
    // Without random bytes the pauses are merely alike.
    let _ = rustix::rand::getrandom(&mut random, rustix::rand::GetRandomFlags::NONBLOCK);
    Duration::from_micros(least + u64::from(u32::from_ne_bytes(random)) % least)
}
