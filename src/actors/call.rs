//! Call: any call of the store, for callers outside of the actors.

use actix::{Addr, Message};

use super::db_executor::{DbExecutor, Transaction};
use crate::store::{Store, StoreError};

/// Carries out `call` on a thread of `executor`.
///
/// # Errors
/// Those of the store, or that the executor has ended.
pub async fn call<T: Send + 'static>(
    executor: &Addr<DbExecutor>,
    call: impl FnOnce(&dyn Store) -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    let answer = executor.send(Call::new(call)).await;
    answer.unwrap_or_else(|_| {
        Err(StoreError::UnknownOutcome("the threads of the database have ended".to_owned()))
    })
}

/// A call of the store that a [`DbExecutor`] carries out on a database thread.
pub struct Call<T>(Box<Run<T>>);

type Run<T> = dyn FnOnce(&dyn Store) -> Result<T, StoreError> + Send;

impl<T> Call<T> {
    /// A message that runs `call`.
    pub fn new(call: impl FnOnce(&dyn Store) -> Result<T, StoreError> + Send + 'static) -> Self {
        Self(Box::new(call))
    }
}

impl<T: Send + 'static> Message for Call<T> {
    type Result = Result<T, StoreError>;
}

impl<T: Send + 'static> Transaction for Call<T> {
    type Reply = T;

    fn perform(self, store: &dyn Store) -> Result<T, StoreError> {
        (self.0)(store)
    }
}
