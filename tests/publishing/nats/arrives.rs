//! Each signature arrives, in the order of the feed, beside others that write to the stream.

use async_nats::jetstream::stream::Stream;
use rustix::process::Signal;
use support::{
    amqp::numbered,
    jetstream::{publish, run},
    waiting::until,
};

use super::{each_once, out, reader, server};
use crate::{SOON, place::Place};

#[test]
fn each_signature_arrives_in_the_stream_once_beside_what_others_write_to_it() {
    for place in [Place::sqlite(), Place::postgres()] {
        let server = server();
        place.seed(500);
        let consumer = reader(&server);
        let mut service = place.publish(&out(&server, ""));
        place.until_published(&consumer, 500);
        publish(&server.url(), "feed", &numbered("foreign", 300)); // to another subject
        place.seed(900);
        publish(&server.url(), "feed", &numbered("more", 300));
        place.until_published(&consumer, 900);
        service.signal(Signal::TERM);
        assert_eq!(service.wait(SOON), Some(0), "{}", service.log());
        let (stored, end) = (place.number("SELECT position FROM outlet"), place.feed().pop().unwrap());
        let position = end["position"].as_str().unwrap().rsplit_once('.').unwrap().1.to_owned();
        assert_eq!(stored, position.parse::<i64>().unwrap());
        let _again = place.publish(&out(&server, ""));
        place.seed(920);
        place.until_published(&consumer, 920);
        each_once(&consumer);
        until("the service says so", SOON, || service.log().contains("publishing to nats://127.0.0.1:"));
    }
}

#[test]
fn the_stream_itself_refuses_a_repeat_long_after_its_duplicate_window() {
    let (server, place) = (server(), Place::sqlite());
    let publisher = place.publish(&out(&server, ""));
    place.seed(100);
    let consumer = reader(&server);
    place.until_published(&consumer, 100);
    drop(publisher);
    // What a publisher would send that knows nothing of the rest: the same message, and no id to go by.
    let expected = run(&server.url(), async |context| {
        let stream: Stream = context.get_stream("feed").await?;
        let message = stream.get_raw_message(2).await?;
        let expected =
            message.headers.get("Nats-Expected-Last-Subject-Sequence").unwrap().as_str().to_owned();
        let repeat = async_nats::jetstream::message::PublishMessage::build().payload(message.payload);
        let repeat = repeat.expected_last_subject_sequence(expected.parse()?);
        let refused = context.send_publish("feed.out", repeat).await?.await.unwrap_err();
        assert!(refused.to_string().contains("wrong last sequence"), "{refused}");
        Ok(expected)
    });
    assert_eq!(expected.unwrap(), "1");
    each_once(&consumer);
}
