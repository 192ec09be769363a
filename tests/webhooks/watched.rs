//! What metrics and the status say of webhooks.

use support::{api::Api, waiting::until};

use crate::{
    SOON,
    place::Place,
    receiver::{Receiver, Reply},
};

#[test]
fn metrics_and_the_status_show_where_each_webhook_is() {
    let (place, good, bad) =
        (Place::sqlite(), Receiver::new(), Receiver::replying(Reply::Status(410, String::new())));
    place.ok(&["migrate"]);
    place.add("good", &good.url("/"));
    place.add("bad", &bad.url("/"));
    let mut service =
        place.command(&["serve", "--listen", "127.0.0.1:0", "--batch-size", "1", "--lease-ttl", "8s"]);
    service.args(["--admin-listen", "127.0.0.1:0"]);
    let api = Api::of(service, place.log());
    let admin = api.admin();
    place.sign(1);
    place.until("bad", "it is disabled", |row| row["state"] == "disabled");
    place.until("good", "it is told", |row| row["lag"] == 0);
    place.sign(2);
    place.until("good", "it is told again", |row| row["lag"] == 0);
    for line in [
        "signwave_webhook_enabled{webhook=\"bad\"} 0",
        "signwave_webhook_enabled{webhook=\"good\"} 1",
        "signwave_webhook_lag_batches{webhook=\"bad\"} 3",
        "signwave_webhook_lag_batches{webhook=\"good\"} 0",
        "signwave_webhook_failures{webhook=\"bad\"} 1",
        "signwave_webhook_messages_total{outcome=\"failed\"} 1",
        "signwave_webhooks_disabled_total 1",
    ] {
        until(line, SOON, || admin("/metrics").lines().any(|found| found.starts_with(line)));
    }
    let status = place.ok(&["status"]);
    let line = "bad is disabled: the server answered 410 Gone; 'signwave webhooks enable bad' enables it";
    assert!(status.contains("webhooks 1 enabled, 1 disabled, 3 batches behind at most"), "{status}");
    assert!(status.contains(line), "{status}");
}
