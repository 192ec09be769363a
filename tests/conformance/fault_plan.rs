//! The store that fails as planned.

use std::{sync::Arc, time::Duration};

use signwave::{
    domain::{NodeId, Reach},
    store::{Nodes, Reading, StoreError},
};
use support::{
    faulty::{Fault, FaultyStore, Method},
    memory::MemoryStore,
};

#[test]
fn the_nth_call_fails_once_and_calls_are_recorded() {
    let store = FaultyStore::new(Arc::new(MemoryStore::new()));
    store.fail(Method::RegisterNode, 2, Fault::NotPersisted(StoreError::Busy));
    store.fail(Method::RegisterNode, 3, Fault::Persisted);
    let register = || store.register_node("n", Duration::from_secs(1), &Reach::default());
    assert_eq!(register(), Ok(NodeId(1)));
    assert_eq!(register(), Err(StoreError::Busy));
    assert!(matches!(register(), Err(StoreError::UnknownOutcome(_))));
    assert_eq!(register(), Ok(NodeId(3)), "the second failed before, the third after it took effect");
    assert_eq!(store.calls(), [Method::RegisterNode; 4]);
    assert_eq!(store.count(Method::Commit), 0);
    store.fail_as_drawn(|method| (method == Method::Status).then_some(Fault::Persisted));
    assert!(matches!(store.status(), Err(StoreError::UnknownOutcome(_))));
    assert_eq!(register(), Ok(NodeId(4)));
}
