//! What was sent to the database of an anchor, and had no answer.

use signwave::anchors::{self, AnchorError, Anchors, Attempt, Outcome, Passage};
use support::{
    postgres::{Cluster, PASSWORD, Stop},
    proxy::{Loss, Mode, Proxy},
    store::MINUTE,
    waiting::until,
};

use crate::{
    ledger::Ledger,
    site::{DATABASE, Site},
};

const APPEND: &str = "INSERT INTO signwave_anchor";

fn passages(site: &Site) -> Vec<Passage> {
    anchors::read(&site.address).unwrap().collect::<Result<_, _>>().unwrap()
}

/// How many attempts have this outcome.
fn attempts(site: &Site, outcome: Outcome) -> usize {
    let is_so = |passage: &Passage| matches!(passage, Passage::Attempt(Attempt { outcome: found, .. }) if *found == outcome);
    passages(site).iter().filter(|passage| is_so(passage)).count()
}

/// A commit whose confirmation is in the database, so that nothing is left to be sent.
fn commit_and_confirm(ledger: &mut Ledger, anchors: &Anchors, site: &Site) {
    ledger.commit(anchors, 2);
    until("it is confirmed", MINUTE, || site.text().contains("\nC "));
}

/// Commits as soon as that is possible.
fn goes_on(ledger: &mut Ledger, anchors: &Anchors) {
    until("it goes on", MINUTE, || {
        let receipts = ledger.next(1);
        let Ok(pending) = ledger.permit(anchors).intend(&receipts) else { return false };
        ledger.receipts.extend(receipts);
        pending.committed();
        true
    });
}

/// An intent has no answer, and the commit is not made.
#[test]
fn an_intent_without_an_answer_came_to_nothing_whether_it_arrived_or_not() {
    for (loss, arrived) in [(Loss::Request, 0), (Loss::Answer, 1)] {
        for closes in [false, true] {
            let proxy = Proxy::to(Cluster::shared().port());
            let site = Site::through(proxy.port());
            let (mut ledger, mut anchors) = (Ledger::default(), site.open());
            commit_and_confirm(&mut ledger, &anchors, &site);
            proxy.lose(loss, 1, APPEND);
            let error = ledger.permit(&anchors).intend(&ledger.next(3)).map(drop).unwrap_err();
            assert!(error.is_transient(), "{error}");
            assert_eq!(proxy.lost(), (1 - arrived, arrived));
            assert_eq!(anchors.known(), [ledger.head()]);
            if closes {
                drop(anchors);
                anchors = site.open();
                assert_eq!(anchors.known(), [ledger.head()]);
            }
            // It is another one, so that it cannot be taken for the first.
            ledger.timeline = 1;
            ledger.commit(&anchors, 1);
            drop(anchors);
            assert_eq!(site.open().known(), [ledger.head()]);
            assert_eq!(attempts(&site, Outcome::RolledBack), arrived, "{}", site.text());
            assert_eq!(attempts(&site, Outcome::Committed), 2, "{}", site.text());
            assert_eq!(site.text().matches("\nX ").count(), arrived, "{}", site.text());
        }
    }
}

#[test]
fn a_confirmation_without_an_answer_is_there_once() {
    for loss in [Loss::Request, Loss::Answer] {
        let proxy = Proxy::to(Cluster::shared().port());
        let site = Site::through(proxy.port());
        let (mut ledger, anchors) = (Ledger::default(), site.open());
        let (pending, receipts) = ledger.intend(&anchors, 2);
        ledger.receipts.extend(receipts);
        proxy.lose(loss, 1, APPEND);
        pending.committed();
        until("the confirmation is lost", MINUTE, || proxy.lost() != (0, 0));
        // It goes with the next commit.
        ledger.commit(&anchors, 1);
        drop(anchors);
        assert_eq!(site.open().known(), [ledger.head()]);
        assert_eq!(attempts(&site, Outcome::Committed), 2, "{}", site.text());
        assert_eq!(site.text().matches("\nC ").count(), 2, "{}", site.text());
    }
}

/// The first connection is silent, and the next one goes another way.
#[test]
fn nothing_arrives_late_from_a_connection_that_was_given_up() {
    let port = Cluster::shared().port();
    let proxy = Proxy::to(port);
    let two_ways = format!("@127.0.0.1:{},127.0.0.1:{port}/", proxy.port());
    let site = Site::at(&DATABASE.replace(&format!("@127.0.0.1:{port}/"), &two_ways));
    let (mut ledger, anchors) = (Ledger::default(), site.open());
    commit_and_confirm(&mut ledger, &anchors, &site);
    proxy.set(Mode::Hold);
    let error = ledger.permit(&anchors).intend(&ledger.next(3)).map(drop).unwrap_err();
    assert!(error.is_transient() && error.to_string().contains("no answer within"), "{error}");
    // The server knows nothing of that, so the first connection still has the lock.
    ledger.timeline = 1;
    goes_on(&mut ledger, &anchors);
    // What was held back arrives.
    proxy.set(Mode::Forward);
    goes_on(&mut ledger, &anchors);
    drop(anchors);
    assert_eq!(site.open().known(), [ledger.head()]);
    assert_eq!(passages(&site).len(), 3, "{}", site.text());
    assert_eq!(attempts(&site, Outcome::Committed), 3, "{}", site.text());
}

#[test]
fn it_goes_on_when_its_server_is_back() {
    let cluster = Cluster::start_with("fsync = off");
    let site = Site::at(&cluster.database("anchors"));
    let (mut ledger, anchors) = (Ledger::default(), site.open());
    ledger.commit(&anchors, 2);
    cluster.stop(Stop::Immediate);
    // The first attempt may find the connection lost, and the second one no server.
    for _ in 0..3 {
        let error = ledger.permit(&anchors).intend(&ledger.next(1)).map(drop).unwrap_err();
        assert!(error.is_transient() && !error.to_string().contains(PASSWORD), "{error}");
    }
    cluster.restart();
    goes_on(&mut ledger, &anchors);
    drop(anchors);
    assert_eq!(site.open().known(), [ledger.head()]);
    assert_eq!(attempts(&site, Outcome::Committed), 2);
}

/// What a process says that was cut off while somebody changed the rows of its anchor, and what it says once they are as
/// they were.
fn after(change: &str, back: &str) -> AnchorError {
    let proxy = Proxy::to(Cluster::shared().port());
    let site = Site::through(proxy.port());
    let (mut ledger, anchors) = (Ledger::default(), site.open());
    commit_and_confirm(&mut ledger, &anchors, &site);
    proxy.set(Mode::Refuse);
    proxy.cut();
    let intend = || ledger.permit(&anchors).intend(&ledger.next(1)).map(drop).unwrap_err();
    intend();
    site.tamper(change);
    proxy.set(Mode::Forward);
    let error = intend();
    assert_eq!(intend(), error, "it does not go on");
    site.tamper(back);
    ledger.commit(&anchors, 1);
    drop(anchors);
    assert_eq!(site.open().known(), [ledger.head()]);
    error
}

#[test]
fn an_anchor_that_went_back_or_that_another_process_wrote_is_not_continued() {
    let hide = "UPDATE signwave_anchor SET name = 'hidden-$NAME' WHERE $ROWS";
    let show = "UPDATE signwave_anchor SET name = '$NAME' WHERE name = 'hidden-$NAME'";
    // The header, B, B, H, C.
    for left in [0, 1, 4] {
        let error = after(&format!("{hide} AND line > {left}"), show);
        assert!(matches!(error, AnchorError::WentBack { found, written: 5, .. } if found == left), "{error}");
        assert!(error.is_transient());
    }
    let line = "signwave_anchor SELECT '$NAME', 1, 6, 'X 3'";
    let error = after(&format!("INSERT INTO {line}"), "DELETE FROM signwave_anchor WHERE $ROWS AND line = 6");
    assert!(matches!(error, AnchorError::InUse(_)), "{error}");
    let change = |text: &str| format!("UPDATE signwave_anchor SET text = '{text}' WHERE $ROWS AND line = 5");
    let error = after(&change("X 2"), &change("C 2"));
    assert!(matches!(error, AnchorError::Replaced(_)), "{error}");
}
