//! The ledger: its state, its key and its checkpoints, for others who check it.

use signwave::formats::bundle::MEDIA_TYPE;
use support::{
    api::{json, text},
    sandbox::Sandbox,
};

use crate::site::{Site, signed};

#[test]
fn the_ledger_is_shown_and_anybody_gets_its_last_checkpoint() {
    let site = Site::over(signed("3"), "read", &["--roles", "emit"]);
    let shown = site.get("/v1/ledger");
    let note = site.sandbox.ok(&["ledger", "checkpoint"]);
    let lines: Vec<_> = note.lines().collect();
    assert_eq!(shown["origin"], lines[0]);
    assert_eq!((&shown["entries"], lines[1]), (&3.into(), "3"), "two keys and a batch");
    assert_eq!(shown["root"], lines[2]);
    assert_eq!(shown["halted"], serde_json::Value::Null);
    assert_eq!(shown["key"], site.sandbox.ok(&["ledger", "key"]).trim());
    assert_eq!(
        (&shown["checkpoint"]["entries"], &shown["checkpoint"]["note"]),
        (&3.into(), &note.as_str().into())
    );
    site.sandbox.sql("UPDATE ledger SET halted = 'because'");
    assert_eq!(site.get("/v1/ledger")["halted"], "because");

    let public = site.api.get("/v1/ledger/checkpoint", &[]);
    assert_eq!(public.headers()["content-type"], "text/plain; charset=utf-8");
    assert_eq!(public.headers()["cache-control"], "no-cache");
    let tag = public.headers()["etag"].to_str().unwrap().to_owned();
    assert_eq!(text(public), note);
    assert_eq!(site.api.get("/v1/ledger/checkpoint", &[("if-none-match", &tag)]).status(), 304);
    assert_eq!(site.api.get("/v1/ledger", &[]).status(), 401, "the rest is for those with a token");
}

#[test]
fn a_signature_that_was_lost_is_gone_for_good() {
    let sandbox = Sandbox::new();
    sandbox.ok(&["seed", "--keys", "1", "--records", "4"]);
    sandbox.ok(&["sign", "--anchor", "anchor"]);
    sandbox.sql(
        "INSERT INTO record (external_id, payload) VALUES ('mine', 'one'), ('other', 'two'), (NULL, 'three')",
    );
    sandbox.keep("old.db");
    sandbox.ok(&["sign", "--anchor", "anchor"]);
    sandbox.put("old.db");
    sandbox.ok(&["ledger", "accept", "--anchor", "anchor", "--reason", "why", "--yes"]);
    let site = Site::over(sandbox, "submit,read", &["--roles", "emit"]);
    assert_eq!(
        (&site.get("/v1/records/4")["state"], &site.get("/v1/records/5")["state"]),
        (&"signed".into(), &"lost".into())
    );
    for headers in [&[][..], &[("prefer", "wait=20")]] {
        let answer = site.get_with("/v1/records/5/signature", headers);
        assert_eq!(answer.status(), 410);
        assert!(json(answer)["type"].as_str().unwrap().ends_with("/problems/signature-lost"));
    }
    let batches = site.get("/v1/batches?state=lost");
    assert_eq!(
        (&batches["batches"][0]["id"], &batches["batches"][0]["record_count"]),
        (&"2".into(), &3.into())
    );
    let same = serde_json::json!({"external_id": "mine", "payload": "one"});
    let (code, submitted) = site.send("POST", "/v1/records", &same);
    assert_eq!((code, &submitted["state"]), (200, &"lost".into()), "{submitted}");
    let status = site.get("/v1/status");
    assert_eq!((&status["records"]["lost"], &status["batches"]["lost"]), (&3.into(), &1.into()));
    assert_eq!((&status["records"]["signed"], &status["records"]["unbatched"]), (&4.into(), &0.into()));
}

#[test]
fn a_ledger_without_a_checkpoint_says_so() {
    let site = Site::over(Sandbox::migrated(), "read", &["--roles", "emit"]);
    let shown = site.get("/v1/ledger");
    assert_eq!((&shown["entries"], &shown["key"], &shown["checkpoint"]), (&0.into(), &().into(), &().into()));
    let answer = site.api.get("/v1/ledger/checkpoint", &[]);
    assert_eq!(answer.status(), 404);
    assert!(text(answer).contains("The ledger has no checkpoint yet."));
}

#[test]
fn a_bundle_is_what_export_writes_also_of_batches_that_were_signed_later() {
    let sandbox = Sandbox::new();
    sandbox.ok(&["seed", "--keys", "2", "--records", "25"]);
    sandbox.ok(&["sign", "--batch-size", "10"]);
    let site = Site::over(sandbox, "read", &["--roles", "emit"]);
    let exported = |record: i64, more: &[&str]| {
        let record = record.to_string();
        site.sandbox.ok(&[&["export", "--as", "bundle", "--record", &record], more].concat())
    };
    for record in [1, 10, 25, 26, 30] {
        if record == 26 {
            site.sandbox.sql("INSERT INTO record (payload) VALUES ('a'), ('b'), ('c'), ('d'), ('e')");
            site.sandbox.ok(&["sign", "--batch-size", "2"]);
        }
        let answer = site.get_with(&format!("/v1/records/{record}/bundle"), &[]);
        assert_eq!(answer.status(), 200, "{record}");
        assert_eq!(answer.headers()["content-type"], MEDIA_TYPE);
        assert_eq!(text(answer), exported(record, &[]), "{record}");
    }
    let whole = text(site.get_with("/v1/records/17/bundle?with_payload=true", &[]));
    assert_eq!(whole, exported(17, &["--with-payload"]));
    site.sandbox.write("bundle", whole);
    let key = site.get("/v1/ledger")["key"].as_str().unwrap().to_owned();
    site.sandbox.ok(&["verify", "--bundle", "bundle", "--ledger", &key]);
    assert_eq!(site.get_with("/v1/records/1/bundle", &[("accept", "text/html")]).status(), 406);
}

#[test]
fn what_a_bundle_lacks_is_said() {
    let site = Site::over(signed("3"), "read", &["--roles", "emit"]);
    let refused = |record: i64| {
        let answer = site.get_with(&format!("/v1/records/{record}/bundle"), &[]);
        let again = answer.headers().get("retry-after").map(|seconds| seconds.to_str().unwrap().to_owned());
        let (status, problem) = (answer.status().as_u16(), json(answer));
        let detail = problem["detail"].as_str().unwrap_or_default().to_owned();
        (status, problem["type"].as_str().unwrap().to_owned(), again, detail)
    };
    let not_yet =
        |detail: &str| (409, "/problems/no-bundle-yet".to_owned(), Some("1".to_owned()), detail.to_owned());
    assert_eq!(refused(999).0, 404);
    let note = site.sandbox.ok(&["ledger", "checkpoint"]);
    site.sandbox.sql("INSERT INTO record (payload) VALUES ('later')");
    assert_eq!(refused(4), not_yet("The record is not signed yet."));
    site.sandbox.ok(&["sign"]);
    assert_eq!(site.get_with("/v1/records/4/bundle", &[]).status(), 200);

    // Of a ledger that is halted, no checkpoint is made.
    let older = format!(
        "DROP TRIGGER ledger_only_rises; UPDATE ledger SET halted = 'because', checkpoint_size = 3, checkpoint = '{note}'"
    );
    site.sandbox.sql(&older);
    assert_eq!(refused(4), not_yet("The record was signed after the last checkpoint."));
    assert_eq!(site.get_with("/v1/records/1/bundle", &[]).status(), 200, "the tree was made anew");
    site.sandbox.sql("UPDATE ledger SET checkpoint_size = NULL, checkpoint = NULL");
    assert!(refused(1).3.starts_with("The ledger has no checkpoint yet"));
}

#[test]
fn a_ledger_that_is_not_that_of_its_checkpoint_makes_no_bundle() {
    let sandbox = signed("3");
    sandbox.sql("DROP TRIGGER receipt_no_update; UPDATE receipt SET entry = replace(entry, 'added', 'retired') WHERE seq = 1");
    let site = Site::over(sandbox, "read", &["--roles", "emit"]);
    assert_eq!(site.get_with("/v1/records/1/bundle", &[]).status(), 500);
    assert!(
        site.api
            .service
            .log()
            .contains("the ledger is not that of its last checkpoint: run 'signwave verify'")
    );
}
