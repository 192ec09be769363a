//! The last message of the subject says where to go on, if the database and the stream differ.

use std::{fs, path::Path, process::Command};

use async_nats::jetstream::message::PublishMessage;
use support::{
    jetstream::run,
    sandbox::succeeded,
    waiting::{lasting, until},
};

use super::{each_once, out, reader, server};
use crate::{SOON, place::Place};

fn copy(from: &Path, to: &Path) {
    if to.exists() {
        fs::remove_dir_all(to).unwrap();
    }
    succeeded(&Command::new("cp").arg("-a").args([from, to]).output().unwrap());
}

#[test]
fn what_the_stream_has_lost_of_what_it_had_acknowledged_is_sent_again() {
    let (server, place) = (server(), Place::sqlite());
    let api = place.publish_and_answer(&out(&server, ""));
    place.seed(200);
    place.until_published(&reader(&server), 200);
    // A server that had not yet synced its files loses the end of them when its machine loses power.
    let kept = place.sandbox.path("kept");
    server.kill();
    copy(&server.data(), &kept);
    server.restart();
    place.seed(400);
    place.until_published(&reader(&server), 400);
    until("its position is stored", SOON, || place.status(&api)["lag_batches"] == 0);
    let position = || place.number("SELECT position FROM outlet");
    let reached = position();
    server.kill();
    copy(&kept, &server.data());
    server.restart();
    let consumer = reader(&server);
    place.until_published(&consumer, 400);
    each_once(&consumer);
    assert!(position() >= reached, "the stored position does not go back");
    assert!(api.service.log().contains("has lost what it had confirmed behind position"), "it is said");
    place.seed(500);
    place.until_published(&consumer, 500);
}

#[test]
fn what_the_stream_has_already_is_not_sent_again_when_the_database_has_forgotten_it() {
    let (server, place) = (server(), Place::sqlite());
    place.seed(200);
    let first = place.publish(&out(&server, ""));
    let consumer = reader(&server);
    place.until_published(&consumer, 200);
    drop(first);
    place.sandbox.sql("DELETE FROM outlet");
    place.seed(300);
    let _second = place.publish(&out(&server, "&name=another"));
    place.until_published(&consumer, 300);
    each_once(&consumer);
}

#[test]
fn a_stream_that_is_ahead_of_a_restored_database_stops_the_publisher_until_it_is_emptied() {
    let (server, place) = (server(), Place::sqlite());
    let consumer = reader(&server);
    place.seed(100);
    let first = place.publish(&out(&server, ""));
    place.until_published(&consumer, 100);
    drop(first);
    place.sandbox.keep("backup.db");
    let second = place.publish(&out(&server, ""));
    place.seed(200);
    place.until_published(&consumer, 200);
    drop(second);
    place.sandbox.put("backup.db");
    let api = place.publish_and_answer(&out(&server, ""));
    until("it stops", SOON, || place.status(&api)["state"] == "stopped");
    lasting(std::time::Duration::from_secs(2));
    let status = place.status(&api);
    let problem = status["problem"].as_str().unwrap();
    assert!(problem.contains("which is published: the database was restored or replaced"), "{problem}");
    let errors = api.service.log().matches("ERROR").count();
    assert_eq!(errors, 1, "loud, but once: {}", api.service.log());
    run(&server.url(), async |context| {
        Ok(context.get_stream("feed").await?.purge().filter("feed.out").await.map(drop)?)
    })
    .unwrap();
    consumer.forget();
    place.seed(150);
    until("it goes on", SOON, || place.status(&api)["state"] == "publishing");
    until("the new ones are there", SOON, || consumer.rows() >= 50);
    assert_eq!(consumer.log().rows, place.feed()[100..]);
}

#[test]
fn a_message_of_somebody_else_under_the_subject_is_no_position() {
    let (server, place) = (server(), Place::sqlite());
    let foreign = |id: &str| {
        let message = PublishMessage::build().payload("{}".into()).message_id(id);
        run(&server.url(), async |context| {
            Ok(context.send_publish("feed.out", message).await?.await.map(drop)?)
        })
    };
    foreign("hello").unwrap();
    let api = place.publish_holding("1m", &out(&server, ""));
    place.seed(100);
    until("they are published", SOON, || place.status(&api)["signatures"] == 100);
    // In between it costs a session, and nothing is sent twice that is known to be there.
    foreign("0123456789ab.7").unwrap();
    place.seed(200);
    until("they are published", SOON, || place.status(&api)["signatures"] == 200);
    assert!(api.service.log().contains("another one has come to this subject"), "{}", api.service.log());
}
