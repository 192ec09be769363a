//! Ways to the broker: one that is away, silent or strange, and TLS. No password is shown.

use std::{net::TcpListener, time::Duration};

use rustix::process::Signal;
use support::{
    amqp::declare,
    postgres::free_port,
    process::Running,
    rabbitmq::{OneBroker, PASSWORD},
    sandbox::failed,
    waiting::{lasting, until},
};

use crate::{SOON, consumer::Consumer, place::Place};

#[test]
fn a_broker_that_goes_away_and_comes_back_gets_the_rest() {
    let (broker, queue, place) = (OneBroker::take(), "away", Place::sqlite());
    declare(&broker.url(), queue);
    let api = place.publish_and_answer(&broker.queue(queue, ""));
    place.seed(200);
    until("they are published", SOON, || place.status(&api)["signatures"] == 200);
    broker.until_written(queue);
    broker.kill();
    place.seed(600);
    until("the status says so", SOON, || place.status(&api)["state"] == "disconnected");
    until("it says for how long", SOON, || place.status(&api)["down_seconds"].as_f64() >= Some(1.0));
    until("the lag grows", SOON, || place.status(&api)["lag_batches"].as_u64() > Some(10));
    until("the feed has gone on", SOON, || place.number("SELECT count(*) FROM signature") == 600);
    broker.restart();
    until("the rest is published", SOON, || place.status(&api)["signatures"].as_u64() >= Some(600));
    assert_eq!(place.status(&api)["state"], "publishing");
    assert!(place.metric(&api, "connections_total") >= 2.0);
    place.until_published(&Consumer::start(&broker.url(), queue), 600);
}

#[test]
fn a_broker_that_accepts_and_never_answers_is_given_up_and_a_stop_does_not_wait_for_it() {
    let place = Place::sqlite();
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let mut publisher = place.publish(&format!("amqp://a:b@127.0.0.1:{port}/?queue=q"));
    until("the attempt is given up", SOON, || publisher.log().contains("did not answer within 10 s"));
    publisher.signal(Signal::TERM);
    assert_eq!(publisher.wait(Duration::from_secs(10)), Some(0));
}

#[test]
fn a_broker_that_stands_still_is_given_up_and_a_stop_comes_to_its_end() {
    let (broker, queue, place) = (OneBroker::take(), "still", Place::sqlite());
    declare(&broker.url(), queue);
    let consumer = Consumer::start(&broker.url(), queue);
    let mut publisher = place.publish(&broker.queue(queue, ""));
    place.seed(100);
    place.until_published(&consumer, 100);
    broker.pause();
    place.seed(200);
    until("they are signed", SOON, || place.number("SELECT count(*) FROM signature") == 200);
    lasting(Duration::from_secs(1));
    publisher.signal(Signal::TERM);
    let ended = publisher.wait(Duration::from_secs(20));
    broker.resume();
    assert_eq!(ended, Some(0), "{}", publisher.log());
    let _second = place.publish(&broker.queue(queue, ""));
    place.until_published(&consumer, 200);
}

#[test]
fn with_tls_the_broker_must_have_a_certificate_that_is_trusted_for_its_name() {
    let (broker, queue, place) = (OneBroker::take(), "out-tls", Place::sqlite());
    declare(&broker.url(), queue);
    place.seed(100);
    let stranger = place.publish(&broker.queue_over_tls(queue, ""));
    until("the certificate is refused", SOON, || stranger.log().contains("UnknownIssuer"));
    drop(stranger);
    let consumer = Consumer::start(&broker.url(), queue);
    let trusting = format!("&ca={}", broker.authority().display());
    let _publisher = place.publish(&broker.queue_over_tls(queue, &trusting));
    place.until_published(&consumer, 100);
}

#[test]
fn several_destinations_come_from_the_settings_the_environment_or_flags_and_no_password_is_shown() {
    let (broker, place) = (OneBroker::take(), Place::sqlite());
    for queue in ["first", "second"] {
        declare(&broker.url(), queue);
    }
    place.seed(100);
    let [first, second] = ["first", "second"].map(|queue| Consumer::start(&broker.url(), queue));
    let addresses = ["first", "second"].map(|queue| broker.queue(queue, ""));
    let file = format!("[serve]\nlisten = 'none'\npublish = ['{}', '{}']\n", addresses[0], addresses[1]);
    place.sandbox.write("signwave.toml", file);
    let mut service = Running::start(place.command(&["serve", "-vvv"]), place.log());
    place.until_published(&first, 100);
    place.until_published(&second, 100);
    service.signal(Signal::TERM);
    assert_eq!(service.wait(SOON), Some(0));
    place.sandbox.write("signwave.toml", "");
    place.seed(200);
    let both = place.publish(&addresses.join(" "));
    place.until_published(&first, 200);
    place.until_published(&second, 200);
    drop(both);
    let denied = addresses[0].replace(PASSWORD, "wrong-secret");
    let unheard = broker.queue_at(free_port(), "first", "");
    let mut flags = place.command(&["serve", "--listen", "none", "--publish", &denied]);
    flags.args(["--publish", &unheard]);
    let flags = Running::start(flags, place.log());
    for words in ["ACCESS_REFUSED", "onnection refused"] {
        until("the log says so", SOON, || flags.log().contains(words));
    }
    for log in [service.log(), flags.log()] {
        assert!(!log.contains(PASSWORD) && !log.contains("wrong-secret"), "{log}");
    }
    let twice = format!("{} {}", addresses[0], addresses[0]);
    for wrong in
        ["amqp://u:secret@h", "amqp://u:secret@h?queue=q&x=secret", "kafka://u:secret@h?queue=q", &twice]
    {
        let error = failed(2, &place.command(&["serve", "--publish", wrong]).output().unwrap());
        assert!(
            error.contains("publisher") && !error.contains("secret") && !error.contains(PASSWORD),
            "{error}"
        );
    }
}
