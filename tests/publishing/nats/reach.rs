//! Ways to the server: one that is away, silent or stands still, and TLS. No password is shown.

use std::time::Duration;

use rustix::process::Signal;
use support::{
    jetstream::make_stream,
    nats::{PASSWORD, Server},
    process::Running,
    sandbox::failed,
    waiting::{lasting, until},
};

use super::{each_once, out, reader, server};
use crate::{SOON, consumer::Consumer, place::Place};

#[test]
fn a_server_that_goes_away_or_stands_still_and_comes_back_gets_the_rest_once() {
    let (server, place) = (server(), Place::sqlite());
    let (api, consumer) = (place.publish_and_answer(&out(&server, "")), reader(&server));
    place.seed(200);
    place.until_published(&consumer, 200);
    server.kill();
    place.seed(400);
    until("the status says so", SOON, || place.status(&api)["state"] == "disconnected");
    until("the lag grows", SOON, || place.status(&api)["lag_batches"].as_u64() > Some(5));
    server.restart();
    place.until_published(&consumer, 400);
    until("the status says so", SOON, || place.status(&api)["state"] == "publishing");
    server.pause();
    place.seed(600);
    until("it is given up", SOON, || place.status(&api)["state"] == "disconnected");
    server.resume();
    place.until_published(&consumer, 600);
    each_once(&consumer);
}

#[test]
fn a_stop_comes_to_its_end_although_nats_stands_still() {
    let (server, place) = (server(), Place::sqlite());
    let consumer = reader(&server);
    let mut publisher = place.publish(&out(&server, ""));
    place.seed(100);
    place.until_published(&consumer, 100);
    server.pause();
    place.seed(200);
    until("they are signed", SOON, || place.number("SELECT count(*) FROM signature") == 200);
    lasting(Duration::from_secs(1));
    publisher.signal(Signal::TERM);
    let ended = publisher.wait(Duration::from_secs(20));
    server.resume();
    assert_eq!(ended, Some(0), "{}", publisher.log());
    let _second = place.publish(&out(&server, ""));
    place.until_published(&consumer, 200);
    each_once(&consumer);
}

#[test]
fn with_tls_nats_is_published_to_if_its_certificate_is_trusted_and_no_password_is_shown() {
    let (server, place) = (Server::start_with_tls(), Place::sqlite());
    place.seed(100);
    let trusting = format!("&subject=feed.out&ca={}", server.authority().display());
    let to = server.stream_over_tls("feed", &trusting);
    let stranger = place.publish(&server.stream_over_tls("feed", "&subject=feed.out"));
    until("the certificate is refused", SOON, || stranger.log().contains("UnknownIssuer"));
    let denied = place.publish(&to.replace(PASSWORD, "wrong-secret"));
    until("the password is refused", SOON, || denied.log().contains("authorization violation"));
    let mut chatty = place.command(&["serve", "--listen", "none", "-vvv"]);
    chatty.env("SIGNWAVE_PUBLISH", &to);
    let chatty = Running::start(chatty, place.log());
    until("the server is reached", SOON, || chatty.log().contains("stream not found"));
    for log in [stranger.log(), denied.log(), chatty.log()] {
        assert!(!log.contains(PASSWORD) && !log.contains("wrong-secret"), "{log}");
    }
    for wrong in [
        "nats://u:secret@h",
        "tls://secret@h?stream=s&subject=*",
        "nats://u:secret@h?stream=s&subject=s&x=secret",
    ] {
        let error = failed(2, &place.command(&["serve", "--publish", wrong]).output().unwrap());
        assert!(error.contains("the address of a publisher") && !error.contains("secret"), "{error}");
    }
}

#[test]
fn a_user_needs_few_rights_to_publish_and_a_missing_one_is_named() {
    let inbox = "subscribe: \"_INBOX.>\"";
    let user = |name: &str, publish: &str| {
        format!("{{ user: {name}, password: p, permissions: {{ publish: [{publish}], {inbox} }} }}")
    };
    let info = "\"$JS.API.STREAM.INFO.feed\", \"$JS.API.STREAM.MSG.GET.feed\"";
    let users = [
        "{ user: admin, password: p }".to_owned(),
        user("blind", info),
        user("narrow", &format!("{info}, \"feed.out\"")),
    ];
    let server = Server::with(&format!("authorization {{ users: [{}] }}\n", users.join(", ")));
    let place = Place::sqlite();
    let url = |user: &str| format!("nats://{user}:p@127.0.0.1:{}", server.port());
    make_stream(&url("admin"), "feed");
    place.seed(100);
    let to = |user: &str| format!("{}?stream=feed&subject=feed.out", url(user));
    let blind = place.publish(&to("blind"));
    until("it is named", SOON, || blind.log().contains("Permissions Violation for Publish to \"feed.out\""));
    drop(blind);
    let _narrow = place.publish(&to("narrow"));
    let consumer = Consumer::of_stream(&url("admin"), "feed");
    place.until_published(&consumer, 100);
    each_once(&consumer);
}
