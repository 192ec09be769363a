//! Streams that would lose what they acknowledge, and a stream that takes nothing for a while.

use async_nats::jetstream::stream::{Config, DiscardPolicy, RetentionPolicy, StorageType};
use support::{
    jetstream::{make_stream, make_stream_with, run},
    nats::Server,
    waiting::until,
};

use super::{each_once, out, reader};
use crate::{SOON, consumer::Consumer, place::Place};

#[test]
fn a_stream_that_would_lose_messages_is_refused_with_the_reason_until_there_is_another_one() {
    let (server, place) = (Server::start(), Place::sqlite());
    let url = server.url();
    let named = |name: &str| Config { name: name.to_owned(), ..Config::default() };
    make_stream_with(&url, Config { storage: StorageType::Memory, ..named("memory") });
    make_stream_with(&url, Config { retention: RetentionPolicy::WorkQueue, ..named("work") });
    make_stream_with(&url, Config { no_ack: true, ..named("silent") });
    make_stream(&url, "other");
    place.seed(100);
    place.ok(&["sign"]);
    let addresses = ["memory", "work", "silent", "other", "feed"].map(|stream| {
        server.stream(stream, &format!("&subject={}.out", if stream == "other" { "x" } else { stream }))
    });
    let service = place.publish(&addresses.join(" "));
    for words in [
        "the stream memory is in memory: make one with the storage 'file'",
        "the stream work deletes what was consumed",
        "the stream silent acknowledges no message",
        "no stream found for given subject",
        "stream not found",
    ] {
        until(words, SOON, || service.log().contains(words));
    }
    assert_eq!(place.number("SELECT sum(position) FROM outlet"), 0, "nothing is taken for published");
    make_stream(&url, "feed");
    place.until_published(&reader(&server), 100);
}

#[test]
fn a_stream_that_is_full_is_filled_as_it_is_emptied() {
    let (server, place) = (Server::start(), Place::sqlite());
    let full =
        Config { name: "feed".to_owned(), max_messages: 3, discard: DiscardPolicy::New, ..Config::default() };
    make_stream_with(&server.url(), full);
    let consumer = Consumer::of_stream(&server.url(), "feed");
    place.seed(200); // ten messages
    let publisher = place.publish(&out(&server, ""));
    until("the log says so", SOON, || publisher.log().contains("maximum messages exceeded"));
    until("it has what fits", SOON, || consumer.rows() == 60);
    until("it is emptied as it fills", SOON * 2, || {
        // All that was read but the last message, which a limit would leave, too.
        let read = consumer.log().bodies.len() as u64;
        run(&server.url(), async |context| {
            Ok(context.get_stream("feed").await?.purge().sequence(read).await.map(drop)?)
        })
        .unwrap();
        consumer.rows() >= 200
    });
    place.until_published(&consumer, 200);
    each_once(&consumer);
}
