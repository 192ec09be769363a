//! Ways to the server: TLS, tokens, and what goes wrong on them. No password is shown.

use std::time::Duration;

use rustix::process::Signal;
use support::{
    amqp::numbered,
    jetstream::{counts, make_consumer, make_stream, publish},
    nats::{PASSWORD, Server},
    postgres::free_port,
    process::Running,
    sandbox::failed,
    waiting::until,
};

use super::{orders, server, until_empty};
use crate::{SOON, place::Place};

const LATER: Duration = Duration::from_secs(5);

#[test]
fn with_tls_nats_must_have_a_certificate_that_is_trusted_for_its_name() {
    let (server, place) = (Server::start_with_tls(), Place::sqlite());
    let trusting = format!("&consumer=intake&ca={}", server.authority().display());
    let stranger = place.take_in(&server.stream_over_tls("orders", "&consumer=intake"));
    refused(&stranger, "UnknownIssuer");
    let misnamed = server.stream_over_tls("orders", &trusting).replace("localhost", "127.0.0.1");
    let misnamed = place.take_in(&misnamed);
    refused(&misnamed, "not valid for name");
    let plain = place.take_in(&orders(&server, "")); // the server wants TLS, and its certificate is not trusted
    refused(&plain, "UnknownIssuer");
    let intake = place.take_in(&server.stream_over_tls("orders", &trusting));
    refused(&intake, "stream not found");
}

#[test]
fn what_goes_wrong_with_nats_is_logged_and_tried_again_and_no_password_is_in_the_log() {
    let (server, place) = (server(LATER), Place::sqlite());
    publish(&server.url(), "orders", &numbered("r", 10));
    let denied = place.take_in(&orders(&server, "").replace(PASSWORD, "wrong-secret"));
    refused(&denied, "authorization violation");
    let unheard = place.take_in(&server.stream_at(free_port(), "orders", "&consumer=intake"));
    refused(&unheard, "onnection refused");
    let mut chatty = place.command(&["serve", "--listen", "none", "--roles", "emit", "-vvv"]);
    chatty.env("SIGNWAVE_INTAKE", orders(&server, ""));
    let chatty = Running::start(chatty, place.sandbox.path("chatty.log"));
    place.until_records(10);
    until_empty(&server);
    for log in [denied.log(), unheard.log(), chatty.log()] {
        assert!(!log.contains(PASSWORD) && !log.contains("wrong-secret"), "{log}");
    }
    for wrong in
        ["nats://u:secret@h", "nats://u:secret@h?stream=s&consumer=c&x=secret", "tls://secret@h?stream=s"]
    {
        let error = failed(2, &place.command(&["serve", "--intake", wrong]).output().unwrap());
        assert!(error.contains("the address of the intake") && !error.contains("secret"), "{error}");
    }
}

#[test]
fn a_token_lets_in_and_a_permission_that_is_missing_is_named() {
    let (server, place) = (Server::with("authorization { token: \"a/token\" }\n"), Place::sqlite());
    let url = format!("nats://a/token@127.0.0.1:{}", server.port());
    make_stream(&url, "orders");
    make_consumer(&url, "orders", LATER);
    publish(&url, "orders", &numbered("t", 10));
    let address = format!("{}?stream=orders&consumer=intake", url.replace("a/t", "a%2Ft"));
    let _intake = place.take_in(&address);
    place.until_records(10);
    let (inbox, info) = ("subscribe: \"_INBOX.>\"", "$JS.API.STREAM.INFO.orders");
    let all = "$JS.API.CONSUMER.INFO.orders.intake\", \"$JS.API.CONSUMER.MSG.NEXT.orders.intake\", \"$JS.ACK.orders.intake.>";
    let user = |name: &str, publish: &str| {
        format!("{{ user: {name}, password: p, permissions: {{ publish: [\"{publish}\"], {inbox} }} }}")
    };
    let users = [
        "{ user: admin, password: p }".to_owned(),
        user("blind", "nothing"),
        user("narrow", &format!("{info}\", \"{all}")),
    ];
    let server = Server::with(&format!("authorization {{ users: [{}] }}\n", users.join(", ")));
    let url = |user: &str| format!("nats://{user}:p@127.0.0.1:{}", server.port());
    make_stream(&url("admin"), "orders");
    make_consumer(&url("admin"), "orders", LATER);
    publish(&url("admin"), "orders", &numbered("narrow", 10));
    let blind = place.take_in(&format!("{}?stream=orders&consumer=intake", url("blind")));
    refused(&blind, "Permissions Violation for Publish to \"$JS.API.STREAM.INFO.orders\"");
    let _narrow = place.take_in(&format!("{}?stream=orders&consumer=intake", url("narrow")));
    place.until_records(20);
    until("all are acknowledged", SOON, || counts(&url("admin"), "orders") == (0, 0));
}

#[test]
fn a_server_that_is_away_silent_or_stands_still_is_given_up_and_comes_back() {
    let (server, place) = (server(LATER), Place::sqlite());
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let mut waits = place.take_in(&server.stream_at(port, "orders", "&consumer=intake"));
    let intake = place.take_in(&orders(&server, ""));
    publish(&server.url(), "orders", &numbered("first", 10));
    place.until_records(10);
    server.kill();
    until("the log says so", SOON, || intake.log().contains("the server has ended the connection"));
    server.restart();
    publish(&server.url(), "orders", &numbered("second", 10));
    place.until_records(20);
    // Its connections stay open, so that only silence tells.
    server.pause();
    let before = intake.log().matches("cannot take messages from nats:").count();
    until("it is given up", SOON, || {
        intake.log().matches("cannot take messages from nats:").count() > before
    });
    server.resume();
    publish(&server.url(), "orders", &numbered("third", 10));
    place.until_records(30);
    until_empty(&server);
    until("the attempt is given up", SOON, || waits.log().contains("did not answer within 10 s"));
    waits.signal(Signal::TERM);
    assert_eq!(waits.wait(Duration::from_secs(20)), Some(0));
}

/// Waits until the log has these words, and an attempt is tried again.
fn refused(intake: &Running, words: &str) {
    let attempts = || intake.log().matches("cannot take messages from nats:").count();
    until(&format!("the log says {words}"), SOON, || intake.log().contains(words));
    until("it is tried again", SOON, || attempts() >= 2);
}
