//! Where each way out of the feed is, and where it goes on when a person says so.

use serde_json::{Value, json};
use support::sandbox::Sandbox;

/// A database with three batches in its feed, and a webhook at their end.
fn with_outlet() -> (Sandbox, String) {
    let sandbox = Sandbox::migrated();
    sandbox.ok(&["seed", "--keys", "2", "--records", "30"]);
    sandbox.ok(&["sign", "--batch-size", "10"]);
    sandbox.ok(&["webhooks", "add", "http://127.0.0.1:9/", "--name", "billing", "--allow-internal"]);
    let feed = sandbox.rows("SELECT 0 AS number, id AS text FROM feed_identity").remove(0).1;
    (sandbox, feed)
}

fn list(sandbox: &Sandbox) -> Value {
    serde_json::from_str(&sandbox.ok(&["outlets", "list", "--json"])).unwrap()
}

fn outlet(position: &str, lag: Option<i64>, node: Option<i64>) -> Value {
    json!([{ "name": "webhook:billing", "position": position, "lag_batches": lag, "node": node }])
}

fn reset<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [&["outlets", "reset", "webhook:billing"], more].concat()
}

#[test]
fn an_outlet_goes_on_where_a_person_says_and_the_audit_log_has_it() {
    let (sandbox, feed) = with_outlet();
    let at = |place: i64| format!("{feed}.{place}");
    assert_eq!(list(&sandbox), outlet(&at(3), Some(0), None));
    sandbox.ok(&reset(&["--to-start", "--yes"]));
    assert_eq!(list(&sandbox), outlet(&at(0), Some(3), None));
    sandbox.ok(&reset(&["--to", &at(2), "--yes"]));
    assert_eq!(list(&sandbox), outlet(&at(2), Some(1), None));
    sandbox.ok(&reset(&["--to-end", "--yes"]));
    assert_eq!(list(&sandbox), outlet(&at(3), Some(0), None));
    let log = sandbox.ok(&["audit-log", "--json"]);
    let rows: Vec<Value> = log.lines().map(|row| serde_json::from_str(row).unwrap()).collect();
    let resets: Vec<_> = rows.iter().filter(|row| row["action"] == "outlet.reset").collect();
    let changes: Vec<_> = resets.iter().map(|row| (&row["before"], &row["after"])).collect();
    let [start, second, end] = [0, 2, 3].map(|place| Value::from(at(place)));
    assert_eq!(changes, [(&end, &start), (&start, &second), (&second, &end)]);
    assert!(resets.iter().all(|row| row["object"] == "webhook:billing"));
    assert!(resets.iter().all(|row| row["who"].as_str().unwrap().starts_with("cli:")), "{log}");
    let shown = sandbox.ok(&["audit-log"]);
    assert!(shown.contains(&format!("outlet.reset  webhook:billing   {} -> {}", at(3), at(0))), "{shown}");
}

#[test]
fn a_position_that_the_feed_does_not_have_is_shown_and_can_be_reset() {
    let (sandbox, feed) = with_outlet();
    let lag = || {
        let table = sandbox.ok(&["outlets", "list"]);
        table.lines().nth(1).unwrap()[22..32].trim().to_owned()
    };
    sandbox.sql("UPDATE outlet SET position = 1000");
    assert_eq!((lag().as_str(), list(&sandbox)), ("ahead", outlet(&format!("{feed}.1000"), None, None)));
    assert!(sandbox.ok(&["status"]).contains("not a position of this feed"));
    sandbox.sql("UPDATE feed_identity SET id = '0123456789ab'; UPDATE outlet SET position = 1");
    assert_eq!(lag(), "other feed");
    assert_eq!(list(&sandbox), outlet(&format!("{feed}.1"), None, None));
    let refused = sandbox.fails(1, &reset(&["--to", &format!("{feed}.1"), "--yes"]));
    assert!(refused.contains("the position is not in the feed, which ends at 0123456789ab.3"), "{refused}");
    let refused = sandbox.fails(1, &reset(&["--to", "0123456789ab.4", "--yes"]));
    assert!(refused.contains("which ends at 0123456789ab.3"), "{refused}");
    sandbox.ok(&reset(&["--to", "0123456789ab.1", "--yes"]));
    assert_eq!(list(&sandbox), outlet("0123456789ab.1", Some(2), None));
}

#[test]
fn what_is_held_unknown_or_not_confirmed_is_not_reset() {
    let (sandbox, feed) = with_outlet();
    let is_refused = |code: i32, arguments: &[&str], why: &str| {
        let output = sandbox.run(arguments);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(code) && said.contains(why), "{said}");
    };
    is_refused(2, &reset(&["--to-start"]), "is at");
    is_refused(2, &reset(&["--to-start"]), "everything is sent again: add --yes to confirm");
    is_refused(2, &reset(&["--to-end"]), "what is not sent yet never is: add --yes to confirm");
    is_refused(2, &reset(&["--yes"]), "--to-start");
    is_refused(2, &reset(&["--to-start", "--to-end", "--yes"]), "cannot be used with");
    is_refused(2, &reset(&["--to", "1", "--yes"]), "a position is what an export");
    let middle = format!("{feed}.1.5");
    is_refused(2, &reset(&["--to", &middle, "--yes"]), &format!("so take {feed}.1"));
    is_refused(1, &["outlets", "reset", "billing", "--to-end", "--yes"], "there is no outlet billing");
    sandbox.sql(
        "UPDATE outlet SET holder = 7, held_until = strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '+50 seconds')",
    );
    assert_eq!(list(&sandbox), outlet(&format!("{feed}.3"), Some(0), Some(7)));
    is_refused(1, &reset(&["--to-start", "--yes"]), "node 7 holds outlet webhook:billing: stop the services");
    sandbox.sql("UPDATE outlet SET held_until = strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-1 seconds')");
    sandbox.ok(&reset(&["--to-start", "--yes"]));
    assert_eq!(list(&sandbox), outlet(&format!("{feed}.0"), Some(3), None));
    let empty = Sandbox::migrated();
    assert_eq!((list(&empty), empty.ok(&["outlets", "list"]).lines().count()), (json!([]), 1));
}
