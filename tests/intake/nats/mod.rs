//! NATS JetStream: a real server, which is killed.

mod between;
mod kills;
mod reach;
mod refusals;
mod stop;

use support::{
    jetstream::{counts, make_consumer, make_stream},
    nats::Server,
    waiting::until,
};

use crate::{SOON, place::Place};

/// A server with the stream `orders` and its consumer `intake`.
fn server(again: std::time::Duration) -> Server {
    let server = Server::start();
    make_stream(&server.url(), "orders");
    make_consumer(&server.url(), "orders", again);
    server
}

/// Where its messages are.
fn orders(server: &Server, options: &str) -> String {
    server.stream("orders", &format!("&consumer=intake{options}"))
}

/// Waits until all messages are acknowledged, by the server's own count.
fn until_empty(server: &Server) {
    until("all messages are acknowledged", SOON, || counts(&server.url(), "orders") == (0, 0));
}

/// A message that was taken twice in this place would be there as a refusal, or as another record.
fn nothing_is_doubled(place: &Place<'_>, records: usize) {
    assert_eq!((place.records(), place.refused()), (records as i64, Vec::new()));
}
