//! Faults of what arrives from a broker.

use super::{FaultyStore, Method};
use signwave::{
    domain::{ArrivalVerdict, By, RefusedId, RetryVerdict},
    store::{Arrival, Arrivals, RefusedRow, RetryName, StoreError},
};

impl Arrivals for FaultyStore {
    fn insert_arrivals(
        &self,
        source: &str,
        arrivals: &[Arrival<'_>],
    ) -> Result<Vec<ArrivalVerdict>, StoreError> {
        self.call(Method::InsertArrivals, |store| store.insert_arrivals(source, arrivals))
    }

    fn refused(&self, after: RefusedId, limit: usize) -> Result<Vec<RefusedRow>, StoreError> {
        self.call(Method::Refused, |store| store.refused(after, limit))
    }

    fn refused_payload(&self, id: RefusedId) -> Result<Option<Vec<u8>>, StoreError> {
        self.call(Method::RefusedPayload, |store| store.refused_payload(id))
    }

    fn retry_refused(&self, id: RefusedId, name: RetryName<'_>, by: &By) -> Result<RetryVerdict, StoreError> {
        self.call(Method::RetryRefused, |store| store.retry_refused(id, name, by))
    }

    fn drop_refused(&self, id: RefusedId, by: &By) -> Result<bool, StoreError> {
        self.call(Method::DropRefused, |store| store.drop_refused(id, by))
    }
}
