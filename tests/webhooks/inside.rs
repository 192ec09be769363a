//! Addresses that a webhook must not reach.

use crate::{place::Place, receiver::Receiver};

#[test]
fn internal_addresses_are_refused_when_a_webhook_is_added() {
    let (place, receiver) = (Place::sqlite(), Receiver::new());
    for url in [
        format!("https://127.0.0.1:{}/", receiver.port()),
        format!("https://localhost:{}/", receiver.port()),
        format!("https://[::ffff:127.0.0.1]:{}/", receiver.port()),
        format!("https://2130706433:{}/", receiver.port()),
        "https://169.254.169.254/latest/meta-data/".to_owned(),
        receiver.url("/"),
    ] {
        let output = place.command(&["webhooks", "add", &url, "--name", "a"]).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{url}: {said}");
        assert!(said.contains("internal"), "{url}: {said}");
        assert!(output.stdout.is_empty(), "no secret");
    }
    assert_eq!(place.number("SELECT count(*) FROM webhook"), 0);
    assert_eq!(receiver.messages().len(), 0);
}

#[test]
fn a_name_that_leads_inside_later_is_refused_when_a_message_is_sent() {
    let (place, receiver) = (Place::sqlite(), Receiver::new());
    place.add("a", &receiver.url("/"));
    // As if the name had led outside when it was added.
    let url = format!("https://localhost:{}/", receiver.port());
    place.sandbox.sql(&format!("UPDATE webhook SET allow_internal = 0, url = '{url}'"));
    let _service = place.serve();
    place.sign(1);
    let row = place.until("a", "it fails", |row| row["failures"] == 1);
    assert!(row["reason"].as_str().unwrap().contains("which is internal"), "{row}");
    let failed = place.command(&["webhooks", "test", "a"]).output().unwrap();
    assert!(String::from_utf8_lossy(&failed.stderr).contains("which is internal"));
    assert_eq!(receiver.messages().len(), 0, "nothing was connected to");
}
