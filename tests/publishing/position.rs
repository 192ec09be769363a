//! Where a destination begins, and a position that the feed does not have.

use lapin::options::QueuePurgeOptions;
use support::{
    amqp::{self, declare},
    rabbitmq::OneBroker,
    waiting::{lasting, until},
};

use crate::{SOON, consumer::Consumer, place::Place};

#[test]
fn a_new_destination_begins_at_the_beginning_or_where_the_feed_ends_now() {
    let (broker, place) = (OneBroker::take(), Place::sqlite());
    for queue in ["all", "new"] {
        declare(&broker.url(), queue);
    }
    place.seed(100);
    place.ok(&["sign"]);
    let [all, new] = ["all", "new"].map(|queue| Consumer::start(&broker.url(), queue));
    let to = [broker.queue("all", ""), broker.queue("new", "&from=now&name=new")];
    let publishers = place.publish(&to.join(" "));
    place.until_published(&all, 100);
    place.seed(200);
    place.until_published(&all, 200);
    until("the new ones are there", SOON, || new.rows() >= 100);
    assert_eq!(new.log().rows, place.feed()[100..]);
    drop(publishers);
    // Only a new destination begins at the end.
    place.seed(300);
    place.ok(&["sign"]);
    let _again = place.publish(&to.join(" "));
    place.until_published(&all, 300);
    until("the new ones are there", SOON, || new.rows() >= 200);
    assert_eq!(new.log().rows, place.feed()[100..]);
}

#[test]
fn a_position_that_the_feed_does_not_have_stops_the_publisher_until_a_person_decides() {
    let (broker, queue, place) = (OneBroker::take(), "restored", Place::sqlite());
    declare(&broker.url(), queue);
    let consumer = Consumer::start(&broker.url(), queue);
    let to = broker.queue(queue, "&name=orders");
    for change in
        ["UPDATE feed_identity SET id = '0123456789ab'", "UPDATE outlet SET position = position + 1000"]
    {
        let api = place.publish_and_answer(&to);
        place.seed(place.records() as usize + 100);
        until("they are published", SOON, || consumer.rows() as i64 >= place.records());
        until("and stored", SOON, || place.status(&api)["lag_batches"] == 0);
        drop(api);
        place.sandbox.sql(change);
        let api = place.publish_and_answer(&to);
        until("it stops", SOON, || place.status(&api)["state"] == "stopped");
        let seen = consumer.rows();
        place.seed(place.records() as usize + 100);
        until("they are signed", SOON, || place.number("SELECT count(*) FROM signature") == place.records());
        lasting(std::time::Duration::from_secs(2));
        let status = place.status(&api);
        assert_eq!(
            (&status["state"], consumer.rows()),
            (&"stopped".into(), seen),
            "nothing is published: {status}"
        );
        let problem = status["problem"].as_str().unwrap();
        assert!(problem.contains("restored or replaced"), "{problem}");
        let errors = api.service.log().matches("ERROR").count();
        assert_eq!(errors, 1, "loud, but once: {}", api.service.log());
        assert!(place.ok(&["status"]).contains("not a position of this feed"));
        assert!(problem.contains("signwave outlets reset 'publish:orders' (see --help)"), "{problem}");
        consumer.forget();
        place.ok(&["outlets", "reset", "publish:orders", "--to-start", "--yes"]);
        let records = place.records() as usize;
        place.until_published(&consumer, records);
    }
}

#[test]
fn after_a_reset_a_publisher_at_work_begins_anew_also_within_a_batch() {
    let (broker, queue, place) = (OneBroker::take(), "reset", Place::sqlite());
    let publisher = place.publish_to_a_short_queue(&broker, queue, "&name=reset");
    until("a part of the batch is confirmed", SOON, || {
        publisher.log().contains("refuses the messages (nack)")
    });
    // Between two attempts no node holds the outlet.
    let reset =
        || place.command(&["outlets", "reset", "publish:reset", "--to-start", "--yes"]).output().unwrap();
    until("the outlet is reset", SOON, || reset().status.success());
    let purge = async |channel: &lapin::Channel| {
        channel.queue_purge(queue.into(), QueuePurgeOptions::default()).await
    };
    assert!(amqp::run(&broker.url(), purge).unwrap() > 0, "what was confirmed is gone");
    let consumer = Consumer::start(&broker.url(), queue);
    place.until_published(&consumer, 2000);
}
