//! NATS JetStream: a real server. What the stream has is what counts: each signature once, in the order of the feed,
//! whatever happens on the way.

mod arrives;
mod kills;
mod learns;
mod nodes;
mod reach;
mod refusals;

use std::time::Duration;

use async_nats::jetstream::stream::Config;
use support::{jetstream::make_stream_with, nats::Server};

use crate::consumer::Consumer;

/// A server with the stream `feed`. It forgets ids as soon as it can, because what holds must hold without that, too.
fn server() -> Server {
    let server = Server::start();
    let duplicate_window = Duration::from_millis(100);
    make_stream_with(
        &server.url(),
        Config { name: "feed".to_owned(), duplicate_window, ..Config::default() },
    );
    server
}

/// The subject of it that is published to.
fn out(server: &Server, options: &str) -> String {
    server.stream("feed", &format!("&subject=feed.out{options}"))
}

/// What the stream has.
fn reader(server: &Server) -> Consumer {
    Consumer::of_stream(&server.url(), "feed")
}

/// The stream has nothing twice, and nothing before its turn.
fn each_once(consumer: &Consumer) {
    let log = consumer.log();
    assert_eq!((log.repeated, log.early), (0, 0), "the stream has each signature once, in order");
}
