//! The ledger: its state, its key and its checkpoints, for others who check it.

use support::{api::text, sandbox::Sandbox};

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
fn a_ledger_without_a_checkpoint_says_so() {
    let site = Site::over(Sandbox::migrated(), "read", &["--roles", "emit"]);
    let shown = site.get("/v1/ledger");
    assert_eq!((&shown["entries"], &shown["key"], &shown["checkpoint"]), (&0.into(), &().into(), &().into()));
    let answer = site.api.get("/v1/ledger/checkpoint", &[]);
    assert_eq!(answer.status(), 404);
    assert!(text(answer).contains("The ledger has no checkpoint yet."));
}
