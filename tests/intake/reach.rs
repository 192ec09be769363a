//! Ways to the broker: TLS, and what goes wrong on them. No password is shown.

use std::{path::Path, time::Duration};

use support::{postgres::free_port, process::Running, rabbitmq::PASSWORD, sandbox::failed, waiting::until};

use crate::{
    OneBroker, SOON,
    client::{declare, numbered, publish},
    place::Place,
};

#[test]
fn with_tls_the_broker_must_have_a_certificate_that_is_trusted_for_its_name() {
    let (broker, queue, place) = (OneBroker::take(), "tls", Place::sqlite());
    declare(&broker.url(), queue);
    publish(&broker.url(), queue, &numbered("t", 100));
    let trusting = format!("&ca={}", broker.authority().display());
    let stranger = place.take_in(&broker.queue_over_tls(queue, ""));
    refused(&stranger, "UnknownIssuer");
    drop(stranger);
    let misnamed = broker.queue_over_tls(queue, &trusting).replace("localhost", "127.0.0.1");
    let misnamed = place.take_in(&misnamed);
    refused(&misnamed, "not valid for name");
    drop(misnamed);
    assert_eq!(place.records(), 0);
    let _intake = place.take_in(&broker.queue_over_tls(queue, &trusting));
    place.until_records(100);
    place.until_empty(&broker, queue);
}

#[test]
fn what_goes_wrong_is_logged_and_tried_again_and_no_password_is_in_the_log() {
    let (broker, place) = (OneBroker::take(), Place::sqlite());
    declare(&broker.url(), "reach");
    publish(&broker.url(), "reach", &numbered("r", 10));
    let missing = place.take_in(&broker.queue("not-there-yet", ""));
    refused(&missing, "NOT_FOUND");
    let denied = place.take_in(&broker.queue("reach", "").replace(PASSWORD, "wrong-secret"));
    refused(&denied, "ACCESS_REFUSED");
    let unheard = place.take_in(&broker.queue_at(free_port(), "reach", ""));
    refused(&unheard, "onnection refused");
    // The one that could not begin goes on when the queue is there.
    declare(&broker.url(), "not-there-yet");
    publish(&broker.url(), "not-there-yet", &numbered("later", 10));
    until("it goes on by itself", SOON, || place.names().contains("later-9"));
    let mut chatty = place.command(&["serve", "--listen", "none", "--roles", "emit", "-vvv"]);
    chatty.env("SIGNWAVE_INTAKE", broker.queue("reach", ""));
    let chatty = Running::start(chatty, place.sandbox.path("chatty.log"));
    until("it takes all", SOON, || place.names().contains("r-9"));
    for log in [missing.log(), denied.log(), unheard.log(), chatty.log()] {
        assert!(!log.contains(PASSWORD) && !log.contains("wrong-secret"), "{log}");
    }
}

/// Waits until the log has these words, and an attempt is tried again.
fn refused(intake: &Running, words: &str) {
    let attempts = || intake.log().matches("cannot take messages from rabbitmq:").count();
    until(&format!("the log says {words}"), SOON, || intake.log().contains(words));
    until("it is tried again", SOON, || attempts() >= 2);
}

#[test]
fn a_broker_that_accepts_and_never_answers_is_given_up() {
    let place = Place::sqlite();
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let mut intake = place.take_in(&format!("amqp://a:b@127.0.0.1:{port}/?queue=q"));
    until("the attempt is given up", SOON, || intake.log().contains("did not answer within 10 s"));
    intake.signal(rustix::process::Signal::TERM);
    assert_eq!(intake.wait(Duration::from_secs(20)), Some(0));
}

#[test]
fn the_address_comes_from_the_settings_file_too_and_a_wrong_one_shows_nothing() {
    let (broker, queue, place) = (OneBroker::take(), "settings", Place::sqlite());
    declare(&broker.url(), queue);
    publish(&broker.url(), queue, &numbered("s", 10));
    let file = format!("[serve]\nlisten = 'none'\nroles = 'emit'\nintake = '{}'\n", broker.queue(queue, ""));
    place.sandbox.write("signwave.toml", file);
    let service = Running::start(place.command(&["serve"]), place.sandbox.path("log"));
    place.until_records(10);
    drop(service);
    place.sandbox.write("signwave.toml", "");
    for wrong in ["amqp://u:secret@h", "amqp://u:secret@h?queue=q&x=secret", "kafka://u:secret@h?queue=q"] {
        let output = place.command(&["serve", "--intake", wrong]).output().unwrap();
        let error = failed(2, &output);
        assert!(error.contains("the address of the intake") && !error.contains("secret"), "{error}");
    }
    assert!(Path::new(&place.sandbox.path("signwave.db")).exists());
}
