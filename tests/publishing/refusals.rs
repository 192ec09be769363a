//! A broker that does not take the messages: no queue, a full queue, no memory.

use std::time::Duration;

use lapin::{
    options::{ExchangeDeclareOptions, QueueBindOptions},
    types::FieldTable,
};
use support::{
    amqp::{self, declare},
    rabbitmq::OneBroker,
    waiting::until,
};

use crate::{SOON, consumer::Consumer, place::Place};

#[test]
fn a_missing_queue_is_said_and_healed_when_the_queue_appears() {
    let (broker, queue, place) = (OneBroker::take(), "missing", Place::sqlite());
    place.seed(100);
    let api = place.publish_and_answer(&broker.queue(queue, ""));
    until("the log says so", SOON, || api.service.log().contains("no queue for the messages (312 NO_ROUTE)"));
    until("it is tried again", SOON, || place.metric(&api, "connections_total") > 3.0);
    let status = place.status(&api);
    assert_eq!((&status["state"], &status["messages"]), (&"disconnected".into(), &0.into()), "{status}");
    assert!(status["problem"].as_str().unwrap().contains("no queue"), "{status}");
    assert!(status["down_seconds"].as_f64().unwrap() > 0.0, "{status}");
    assert_eq!(place.number("SELECT position FROM outlet"), 0, "nothing is taken for published");
    declare(&broker.url(), queue);
    let consumer = Consumer::start(&broker.url(), queue);
    place.until_published(&consumer, 100);
    until("the status says so", SOON, || place.status(&api)["lag_batches"] == 0);
    let status = place.status(&api);
    assert_eq!(status["state"], "publishing", "{status}");
    assert_eq!((&status["signatures"], &status["down_seconds"]), (&100.into(), &serde_json::Value::Null));
    assert!(place.ok(&["status"]).contains("/?queue=missing at "));
}

#[test]
fn an_exchange_whose_queue_goes_away_for_a_while_loses_nothing() {
    let (broker, place) = (OneBroker::take(), Place::sqlite());
    let (exchange, queue) = ("routed", "routed");
    declare(&broker.url(), queue);
    let bind = |is_bound: bool| {
        let work = async |channel: &lapin::Channel| {
            let (options, none) = (ExchangeDeclareOptions::default(), FieldTable::default());
            let kind = lapin::ExchangeKind::Direct;
            channel.exchange_declare(exchange.into(), kind, options, none.clone()).await?;
            match is_bound {
                true => {
                    let options = QueueBindOptions::default();
                    channel.queue_bind(queue.into(), exchange.into(), "key".into(), options, none).await
                }
                false => channel.queue_unbind(queue.into(), exchange.into(), "key".into(), none).await,
            }
        };
        amqp::run(&broker.url(), work).unwrap();
    };
    bind(true);
    let consumer = Consumer::start(&broker.url(), queue);
    let to = broker.queue(queue, "").replace("queue=routed", "exchange=routed&routing-key=key");
    let api = place.publish_and_answer(&to);
    place.under_load(&consumer, || {
        for _ in 0..10 {
            let before = consumer.rows();
            until("signatures arrive", SOON, || consumer.rows() > before + 200);
            bind(false);
            let connections = place.metric(&api, "connections_total");
            until("it is noticed", SOON, || place.metric(&api, "connections_total") > connections);
            bind(true);
        }
    });
    let records = place.records() as usize;
    place.until_published(&consumer, records);
    println!("measured: {} messages came before one that was missing", consumer.log().early);
}

#[test]
fn a_queue_that_is_full_is_filled_as_it_is_emptied() {
    let (broker, queue, place) = (OneBroker::take(), "full", Place::sqlite());
    // One batch, larger than the queue: what was confirmed of it is not sent again for ever.
    let publisher = place.publish_to_a_short_queue(&broker, queue, "");
    until("the log says so", SOON, || publisher.log().contains("refuses the messages (nack)"));
    let consumer = Consumer::slow(&broker.url(), queue, Duration::from_millis(50));
    place.until_published(&consumer, 2000);
    let log = consumer.log();
    assert!(log.bodies.len() > 10, "{} messages: this proves nothing", log.bodies.len());
    println!("measured: {} messages, {} came again", log.bodies.len(), log.repeated);
}

#[test]
fn a_broker_without_memory_is_waited_for() {
    let (broker, queue, place) = (OneBroker::take(), "blocked", Place::sqlite());
    declare(&broker.url(), queue);
    let consumer = Consumer::start(&broker.url(), queue);
    let api = place.publish_holding("1m", &broker.queue(queue, ""));
    place.seed(100);
    place.until_published(&consumer, 100);
    broker.limit_memory("0.0");
    until("the broker blocks", SOON, || {
        place.seed(place.records() as usize + 20);
        place.status(&api)["state"] == "blocked"
    });
    let status = place.status(&api);
    assert!(status["problem"].as_str().unwrap().contains("memory"), "{status}");
    broker.limit_memory("0.4");
    let records = place.records() as usize;
    place.until_published(&consumer, records);
    until("it is over", SOON, || place.status(&api)["state"] == "publishing");
    assert_eq!(place.metric(&api, "connections_total"), 1.0, "the connection has lasted");
    assert_eq!(consumer.log().repeated, 0);
}
