//! `kill -9` between the delivery of a message and the note of it.

use rustix::process::Signal;

use crate::{
    SOON,
    place::Place,
    receiver::{Receiver, Reply},
};

fn a_message_comes_again(place: &Place) {
    let receiver = Receiver::replying(Reply::Never);
    place.add("a", &receiver.url("/"));
    let mut service = place.serve();
    place.sign(1);
    let first = receiver.until(1);
    service.signal(Signal::KILL);
    assert_eq!(service.wait(SOON), None);
    receiver.reply(Reply::Status(200, String::new()));
    let mut service = place.serve();
    let second = receiver.until(2);
    assert_eq!((second.id(), &second.body), (first.id(), &first.body), "the same message");
    place.until("a", "it is told", |row| row["lag"] == 0);
    service.signal(Signal::TERM);
    assert_eq!(service.wait(SOON), Some(0));
    assert_eq!(receiver.messages().len(), 2);
}

#[test]
fn a_message_whose_note_is_lost_comes_again_with_the_same_id_on_sqlite() {
    a_message_comes_again(&Place::sqlite());
}

#[test]
fn a_message_whose_note_is_lost_comes_again_with_the_same_id_on_postgresql() {
    a_message_comes_again(&Place::postgres());
}
