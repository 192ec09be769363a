//! Messages are verified with the libraries that receivers use.

use std::{io::Write, process::Stdio};

use serde_json::json;
use support::{process::tool, root};

use crate::{
    place::Place,
    receiver::{Message, Receiver},
};

/// What both libraries say of a message and a secret: the position, or `refused`.
fn verdicts(place: &Place, cases: &[(&str, &Message)]) -> Vec<String> {
    let lines: String = cases
        .iter()
        .map(|(secret, message)| {
            let case = json!({ "secret": secret, "headers": message.headers, "body": message.body });
            format!("{case}\n")
        })
        .collect();
    let run = |program: &str, file: &str| {
        let mut command = place.sandbox.program(program, &[]);
        let packages = root().join(tool("webhooks")).join("package.json");
        command.arg(root().join("tests/webhooks/programs").join(file)).env("PACKAGES", packages);
        command.env("PYTHONPATH", tool("python")).env("PYTHONDONTWRITEBYTECODE", "1");
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{file}");
        let said = String::from_utf8(output.stdout).unwrap();
        said.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    let (python, node) = (run("python3", "verify.py"), run("node", "verify.mjs"));
    assert_eq!(python, node, "both libraries agree");
    assert_eq!(python.len(), cases.len());
    python
}

#[test]
fn both_libraries_verify_messages_during_rotations_of_the_secret_and_of_the_master_key() {
    let (place, receiver) = (Place::sqlite(), Receiver::new());
    let first = place.add("a", &receiver.url("/hook?x=1"));
    assert!(first.starts_with("whsec_") && first.len() == 50, "one line, the secret alone");
    let said = place.ok(&["webhooks", "test", "a"]);
    assert!(said.starts_with("200 OK, after "), "{said}");
    let test = receiver.until(1);
    assert!(test.id().starts_with("test_") && test.body.contains("\"type\":\"webhook.test\""));
    let _service = place.serve();
    place.sign(1);
    let message = receiver.until(2);
    assert_eq!((message.path.as_str(), message.place()), ("/hook?x=1", 1));
    assert!(message.headers["user-agent"].starts_with("signwave/"));
    let feed = message.id().strip_prefix("msg_").unwrap().strip_suffix("_1").unwrap();
    let position = format!("{feed}.1");
    let tampered = Message { body: message.body.replace(".1\"", ".2\""), ..message.clone() };
    let other = place.add("other", &receiver.url("/other"));
    let cases = [(&*first, &message), (&*other, &message), (&*first, &tampered)];
    assert_eq!(verdicts(&place, &cases), [&position, "refused", "refused"]);
    place.ok(&["webhooks", "remove", "other"]);

    let second = place.ok(&["webhooks", "rotate", "a"]).trim().to_owned();
    assert_ne!(first, second);
    place.sign(1);
    let message = receiver.until(3);
    assert_eq!(message.headers["webhook-signature"].split(' ').count(), 2);
    let position = format!("{feed}.2");
    assert_eq!(verdicts(&place, &[(&first, &message), (&second, &message)]), [&*position, &*position]);

    // The overlap ends.
    place.sandbox.sql("UPDATE webhook SET previous_until = created_at");
    place.ok(&["keys", "rotate-master"]);
    place.sign(1);
    let message = receiver.until(4);
    let position = format!("{feed}.3");
    assert_eq!(verdicts(&place, &[(&first, &message), (&second, &message)]), ["refused", &position]);
}

#[test]
fn the_secret_is_nowhere_but_on_standard_output() {
    let (place, receiver) = (Place::sqlite(), Receiver::new());
    let secret = place.add("a", &receiver.url("/"));
    let rotated = place.ok(&["webhooks", "rotate", "a"]).trim().to_owned();
    let mut service = place.service();
    service.arg("-vvv");
    let log = place.log();
    let service = support::process::Running::start(service, log);
    place.sign(1);
    receiver.until(1);
    let texts = [
        service.log(),
        place.ok(&["webhooks", "list"]),
        place.ok(&["webhooks", "list", "--json"]),
        place.ok(&["audit-log"]),
        place.ok(&["status", "--json"]),
    ];
    for secret in [&secret, &rotated] {
        let secret = &secret["whsec_".len()..];
        for text in &texts {
            assert!(!text.contains(secret), "{text}");
        }
        let bytes = data_encoding::BASE64.decode(secret.as_bytes()).unwrap();
        for file in ["signwave.db", "signwave.db-wal"] {
            let stored = std::fs::read(place.sandbox.path(file)).unwrap_or_default();
            assert!(!stored.windows(32).any(|window| window == bytes), "{file}");
        }
    }
    assert!(texts[3].contains("webhook.add") && texts[3].contains("webhook.rotate"));
}
