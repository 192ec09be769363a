//! Call: any call of the store, for callers outside of the actors.

use actix::Message;

use super::db_executor::Transaction;
use crate::store::{Store, StoreError};

/// A call of the store that a [`DbExecutor`](super::db_executor::DbExecutor) carries out on a database thread.
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
