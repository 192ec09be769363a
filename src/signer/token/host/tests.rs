//! Processes that answer, hang, die or talk nonsense, as shell scripts.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::signer::token::{
    protocol::Bytes,
    scripted::{OPENED, Scripted, TIMEOUT, settings},
};

fn start(scripted: &Scripted) -> Result<Host, NotOpened> {
    Host::start("hsm", &scripted.program(), &settings(), false, || {})
}

fn ping(host: &Host) -> Result<Vec<Answer>, Fault> {
    host.ask(Ask::Ping, 3, host.timeout())
}

#[test]
fn answers_come_to_who_asked_and_the_process_ends_with_its_host() {
    let answers = r#"
read -r first; read -r second
echo '{"id":3,"answer":{"signature":"AQ=="}}'
echo '{"id":2,"answer":{"signature":"Ag=="}}'
echo '{"id":3,"answer":"done"}'
echo '{"id":2,"answer":{"failed":{"blame":"key","reason":"no"}}}'
read -r end
"#;
    let scripted = Scripted::new(&format!("{OPENED}{answers}"));
    let host = start(&scripted).unwrap();
    assert_eq!(host.sessions(), 2);
    let mut outcomes: Vec<_> = thread::scope(|scope| {
        let asked: Vec<_> = (0..2).map(|_| scope.spawn(|| ping(&host))).collect();
        asked.into_iter().map(|asked| asked.join().unwrap()).collect()
    });
    outcomes.sort_by_key(Result::is_err);
    let signature = vec![Answer::Signature(Bytes(vec![1]))];
    assert_eq!(outcomes, [Ok(signature), Err(Fault::key("no"))]);
    assert!(!host.is_over(), "a key's fault ends nothing");
    drop(host);
    assert!(scripted.is_gone());
}

#[test]
fn a_process_that_hangs_is_killed_before_anybody_hears_of_it() {
    let scripted = Scripted::new(&format!("{OPENED}trap '' TERM; while :; do read -r more; done"));
    let host = start(&scripted).unwrap();
    let begun = Instant::now();
    let gone = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let fault = ping(&host).unwrap_err();
                assert!(scripted.is_gone());
                assert_eq!(fault.blame, Blame::Custodian);
                assert!(fault.reason.starts_with("it did not answer within 4s"), "{fault:?}");
                gone.fetch_add(1, Ordering::Relaxed);
            });
        }
    });
    assert_eq!(gone.into_inner(), 4, "also those that waited for a session");
    assert!((TIMEOUT..2 * TIMEOUT).contains(&begun.elapsed()), "{:?}", begun.elapsed());
    assert!(host.is_over());
}

#[test]
fn each_answer_gives_more_time() {
    let slow = r#"
read -r first
for n in 1 2 3; do sleep 1.5; echo '{"id":2,"answer":{"signature":"AQ=="}}'; done
echo '{"id":2,"answer":"done"}'
read -r end
"#;
    let scripted = Scripted::new(&format!("{OPENED}{slow}"));
    let host = start(&scripted).unwrap();
    assert_eq!(ping(&host).unwrap().len(), 3);
}

#[test]
fn a_process_that_dies_or_talks_nonsense_fails_everything() {
    for (lines, reason) in [
        ("read -r first; kill -SEGV $$", "its process has ended (signal: 11 (SIGSEGV)"),
        ("read -r first; exit 3", "its process has ended (exit status: 3)"),
        (
            "read -r first; echo printed by a library; read -r end",
            "its process answered nonsense, and was killed",
        ),
        ("read -r first; echo '{\"id\":9,\"answer\":\"done\"}'; read -r end", "more answers than questions"),
        ("read -r first; yes '{\"id\":2,\"answer\":\"logged-in\"}'", "more answers than questions"),
        ("read -r first; tr '\\000' x < /dev/zero", "a line has no end, or is too long"),
    ] {
        let scripted = Scripted::new(&format!("{OPENED}{lines}"));
        let host = start(&scripted).unwrap();
        let fault = ping(&host).unwrap_err();
        assert_eq!(fault.blame, Blame::Custodian);
        assert!(fault.reason.contains(reason), "{lines}: {fault:?}");
        assert!(scripted.is_gone(), "{lines}");
        assert_eq!(ping(&host), Err(fault), "and so it stays");
    }
}

#[test]
fn what_is_known_of_a_login_is_kept_when_the_token_cannot_be_opened() {
    let in_login = "read -r start; echo '{\"id\":1,\"answer\":\"logging-in\"}'; ";
    let failed =
        "echo '{\"id\":1,\"answer\":{\"failed\":{\"blame\":\"pin\",\"reason\":\"no\"}}}'; read -r end";
    for (lines, login, blame) in [
        ("exit 1".to_owned(), Login::NotTried, Blame::Custodian),
        (format!("{in_login}kill -KILL $$"), Login::Unknown, Blame::Custodian),
        (format!("{in_login}read -r end"), Login::Unknown, Blame::Custodian),
        (format!("{in_login}{failed}"), Login::Unknown, Blame::Pin),
        (
            format!("{in_login}echo '{{\"id\":1,\"answer\":\"not-logged-in\"}}'; {failed}"),
            Login::NotTried,
            Blame::Pin,
        ),
        (
            format!("{in_login}echo '{{\"id\":1,\"answer\":\"logged-in\"}}'; exit 1"),
            Login::Worked,
            Blame::Custodian,
        ),
    ] {
        let scripted = Scripted::new(&lines);
        let error = start(&scripted).unwrap_err();
        assert_eq!((error.login, error.fault.blame), (login, blame), "{lines}: {error:?}");
        assert!(scripted.is_gone(), "{lines}");
    }
}
