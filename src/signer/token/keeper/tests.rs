//! When a token is opened again, and when its PIN is left alone.

use super::*;
use crate::{
    domain::Scheme,
    signer::token::{
        protocol::{Bytes, KeyAddress},
        scripted::{OPENED, Scripted, settings},
    },
};

const IN_LOGIN: &str = "read -r start; echo '{\"id\":1,\"answer\":\"logging-in\"}'\n";

fn sign_with(token: &Token) -> Result<Vec<Answer>, Fault> {
    let key = KeyAddress { location: "object=a".parse().unwrap(), modulus: Bytes(vec![1]) };
    token.sign(ToSign { key, scheme: Scheme::Ps256, digests: vec![Bytes(vec![7; 32])] })
}

fn token(scripted: &Scripted) -> Token {
    Token::new("hsm", scripted.program(), settings())
}

/// Signs again and again until `is_done`, or for 90 s.
fn until(token: &Token, is_done: impl Fn(&Result<Vec<Answer>, Fault>) -> bool) {
    let deadline = Instant::now() + Duration::from_secs(90);
    while !is_done(&sign_with(token)) {
        assert!(Instant::now() < deadline, "it never happens");
        thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_token_is_opened_when_it_is_first_needed() {
    let scripted = Scripted::new(&format!("{OPENED}read -r end"));
    drop(token(&scripted));
    assert!(scripted.starts().is_empty());
    let token = token(&scripted);
    assert!(token.is_up(), "it is being opened, as far as is known");
    until(&token, |_| scripted.starts().len() == 1);
    drop(token);
    assert!(scripted.is_gone());
}

#[test]
fn a_wrong_pin_is_sent_once() {
    let refused = "echo '{\"id\":1,\"answer\":{\"failed\":{\"blame\":\"pin\",\"reason\":\"it is wrong\"}}}'";
    let scripted = Scripted::new(&format!("{IN_LOGIN}{refused}; read -r end"));
    let token = token(&scripted);
    assert_eq!(sign_with(&token), Err(Fault::custodian("it is wrong")));
    assert!(!token.is_up());
    thread::sleep(pause(Duration::ZERO) + Duration::from_millis(500));
    assert_eq!(sign_with(&token), Err(Fault::custodian("it is wrong")));
    assert_eq!(scripted.starts().len(), 1);
}

#[test]
fn a_pin_whose_fate_is_not_known_is_sent_twice() {
    let scripted = Scripted::new(&format!("{IN_LOGIN}kill -KILL $$"));
    let token = token(&scripted);
    until(&token, |signed| {
        let is_refused = |fault: &Fault| fault.reason.ends_with("whether the PIN is right is not known");
        signed.as_ref().is_err_and(is_refused)
    });
    thread::sleep(pause(Duration::ZERO) + Duration::from_millis(500));
    assert_eq!(scripted.starts().len(), 2);
}

#[test]
fn a_pin_that_has_worked_is_sent_again_and_a_token_that_is_not_there_costs_no_attempt() {
    for lines in [
        // It works once, and then the process dies in each login.
        format!(
            "if [ $(wc -l < \"${{0%program}}starts\") = 1 ]; then {OPENED}\nread -r one; exit; fi\n{IN_LOGIN}exit"
        ),
        "read -r start; exit".to_owned(),
        format!(
            "{IN_LOGIN}echo '{{\"id\":1,\"answer\":\"not-logged-in\"}}'\n\
             echo '{{\"id\":1,\"answer\":{{\"failed\":{{\"blame\":\"custodian\",\"reason\":\"gone\"}}}}}}'; read -r end"
        ),
    ] {
        let scripted = Scripted::new(&lines);
        let token = token(&scripted);
        until(&token, |_| scripted.starts().len() >= 4);
        assert!(!token.is_up());
    }
}

#[test]
fn a_token_that_fails_is_opened_again_and_is_up_when_it_signs_again() {
    // The first two processes die when they sign.
    let signs = r#"
read -r first
if [ $(wc -l < "${0%program}starts") -le 2 ]; then exit 1; fi
n=2
while :; do
    echo "{\"id\":$n,\"answer\":{\"signature\":\"AQ==\"}}"
    echo "{\"id\":$n,\"answer\":\"done\"}"
    n=$((n + 1))
    read -r next || exit
done
"#;
    let scripted = Scripted::new(&format!("{OPENED}{signs}"));
    let token = token(&scripted);
    let fault = sign_with(&token).unwrap_err();
    assert_eq!((fault.blame, scripted.is_gone()), (Blame::Custodian, true));
    until(&token, Result::is_ok);
    assert_eq!(scripted.starts().len(), 3);
    assert!(token.is_up());
    assert_eq!(sign_with(&token), Ok(vec![Answer::Signature(Bytes(vec![1]))]));
}
