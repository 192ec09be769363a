//! Node's own `fetch`.

use support::sandbox::succeeded;

use crate::service::{Service, program};

#[test]
fn node_submits_waits_verifies_and_sends_in_bulk() {
    let service = Service::start(&[]);
    let mut node = service.client("submit,read", &["node", &program("with_fetch.mjs")]);
    succeeded(&node.output().unwrap());
    assert_eq!(service.sandbox.number("SELECT count(*) FROM record"), 2001);
}
