//! Webhooks: their rows, who sends, and what becomes of messages.

use std::time::Duration;

use signwave::{
    domain::{AuditId, NodeId, Place, WebhookName, WebhookState},
    store::{
        AddWebhookVerdict, AdvanceVerdict, ClaimWebhookVerdict, ClaimedWebhook, NewWebhook, Reseal,
        ResealWebhooksVerdict, Settlement, Store, WebhookRow,
    },
};
use support::{
    store::{MINUTE, add_keys, add_records, by, lease, open_all, sign},
    tested_store::TestedStore,
};

const HOLD: Duration = Duration::from_secs(30);

fn name(text: &str) -> WebhookName {
    text.parse().unwrap()
}

fn add(store: &dyn Store, text: &str) -> AddWebhookVerdict {
    let url = format!("https://{text}.example/hook");
    let webhook =
        NewWebhook { name: name(text), url, allow_internal: text == "in", sealed_secret: vec![1; 60] };
    store.add_webhook(&webhook, &by()).unwrap()
}

/// Signs this many batches.
fn sign_some(store: &dyn Store, batches: usize) {
    if store.keys().unwrap().is_empty() {
        add_keys(store, 4);
    }
    add_records(store, batches);
    open_all(store, 1);
    let node = store.register_node("signer", MINUTE, &Default::default()).unwrap();
    let signed: Vec<_> = lease(store, node, batches).into_iter().map(sign).collect();
    store.commit(&signed).unwrap();
    store.sequence().unwrap();
    store.remove_node(node).unwrap();
}

fn claim(store: &dyn Store, text: &str, node: i64) -> Option<ClaimedWebhook> {
    match store.claim_webhook(&name(text), NodeId(node), HOLD).unwrap() {
        ClaimWebhookVerdict::Claimed(claimed) => Some(*claimed),
        ClaimWebhookVerdict::NotDue => None,
        other => panic!("{other:?}"),
    }
}

fn settle(store: &dyn Store, claimed: &ClaimedWebhook, settlement: Settlement) -> AdvanceVerdict {
    store.settle_webhook(&claimed.claim, &settlement, &by()).unwrap()
}

fn row(store: &dyn Store, text: &str) -> WebhookRow {
    store.webhooks().unwrap().into_iter().find(|row| row.name.as_str() == text).unwrap()
}

fn due(store: &dyn Store) -> Vec<String> {
    store.due_webhooks().unwrap().iter().map(ToString::to_string).collect()
}

fn failed(retry_in: Duration) -> Settlement {
    Settlement::Failed { reason: "it answered 500".to_owned(), retry_in }
}

pub fn a_webhook_is_told_of_what_comes_after_it_was_added(tested: &TestedStore) {
    let store = &*tested.store;
    sign_some(store, 2);
    let AddWebhookVerdict::Added(added) = add(store, "b") else { panic!() };
    assert_eq!((added.position.place, added.lag, added.state), (Place(2), 0, WebhookState::Enabled));
    assert_eq!((added.failures, &added.reason, &added.delivered_at), (0, &None, &None));
    assert_eq!(add(store, "b"), AddWebhookVerdict::NameTaken);
    assert!(matches!(add(store, "in"), AddWebhookVerdict::Added(row) if row.allow_internal));
    assert_eq!(due(store), Vec::<String>::new());
    assert!(claim(store, "b", 1).is_none() && claim(store, "absent", 1).is_none());
    sign_some(store, 3);
    assert_eq!(due(store), ["b", "in"]);
    let status = store.status().unwrap();
    assert_eq!(status.webhooks.iter().map(|row| row.lag).collect::<Vec<_>>(), [3, 3]);
    let claimed = claim(store, "b", 1).unwrap();
    assert_eq!((claimed.newest, claimed.webhook.url.as_str()), (Place(5), "https://b.example/hook"));
    assert_eq!(claimed.feed, store.sequence().unwrap().feed);
    let batch = store.feed(Place(4), 1).unwrap().remove(0).batch;
    assert_eq!(Some(claimed.signed_at.clone()), batch.signed_at);
    assert_eq!(due(store), ["in"], "it is held");
    assert!(claim(store, "b", 2).is_none());
    assert_eq!(settle(store, &claimed, Settlement::Delivered(Place(5))), AdvanceVerdict::Advanced);
    assert_eq!(settle(store, &claimed, Settlement::Delivered(Place(5))), AdvanceVerdict::Fenced);
    let told = row(store, "b");
    assert!(told.lag == 0 && told.position.place == Place(5) && told.delivered_at.is_some());
    assert!(store.remove_webhook(&name("in"), &by()).unwrap());
    assert!(!store.remove_webhook(&name("in"), &by()).unwrap());
    assert_eq!((store.webhooks().unwrap().len(), store.outlets().unwrap().len()), (1, 1));
}

pub fn a_failed_message_waits_and_what_comes_in_the_meantime_goes_with_it(tested: &TestedStore) {
    let store = &*tested.store;
    add(store, "a");
    sign_some(store, 1);
    let claimed = claim(store, "a", 1).unwrap();
    assert_eq!(settle(store, &claimed, failed(Duration::from_secs(3600))), AdvanceVerdict::Advanced);
    let waiting = row(store, "a");
    assert_eq!((waiting.failures, waiting.reason.as_deref()), (1, Some("it answered 500")));
    assert!(waiting.retry_at.is_some() && waiting.lag == 1);
    sign_some(store, 3);
    assert!(due(store).is_empty() && claim(store, "a", 2).is_none());
    assert!(store.enable_webhook(&name("a"), &by()).unwrap(), "this lets it try at once");
    let claimed = claim(store, "a", 2).unwrap();
    assert_eq!((claimed.newest, claimed.webhook.failures), (Place(4), 0));
    settle(store, &claimed, failed(Duration::ZERO));
    let claimed = claim(store, "a", 1).unwrap();
    assert_eq!(claimed.webhook.failures, 1);
    settle(store, &claimed, Settlement::Delivered(claimed.newest));
    let told = row(store, "a");
    assert_eq!((told.failures, told.reason, told.retry_at, told.lag), (0, None, None, 0));
}

pub fn a_disabled_webhook_waits_for_a_person(tested: &TestedStore) {
    let store = &*tested.store;
    add(store, "a");
    sign_some(store, 1);
    let claimed = claim(store, "a", 1).unwrap();
    settle(store, &claimed, Settlement::Disabled { reason: "it answered 410".to_owned() });
    let off = row(store, "a");
    assert_eq!((off.state, off.reason.as_deref()), (WebhookState::Disabled, Some("it answered 410")));
    assert_eq!((off.failures, off.retry_at), (1, None));
    assert!(due(store).is_empty() && claim(store, "a", 1).is_none());
    assert!(!store.disable_webhook(&name("a"), "again", &by()).unwrap());
    assert!(store.enable_webhook(&name("a"), &by()).unwrap());
    assert_eq!((row(store, "a").state, due(store)), (WebhookState::Enabled, vec!["a".to_owned()]));
    assert!(store.disable_webhook(&name("a"), "not in the feed", &by()).unwrap());
    assert!(!store.enable_webhook(&name("b"), &by()).unwrap());
}

pub fn a_late_sender_changes_nothing(tested: &TestedStore) {
    let store = &*tested.store;
    add(store, "a");
    sign_some(store, 1);
    let late = claim(store, "a", 1).unwrap();
    tested.let_time_pass(HOLD * 2);
    assert_eq!(due(store), ["a"]);
    let current = claim(store, "a", 2).unwrap();
    for settlement in [
        Settlement::Delivered(Place(1)),
        failed(MINUTE),
        Settlement::Disabled { reason: "it answered 410".to_owned() },
    ] {
        assert_eq!(settle(store, &late, settlement), AdvanceVerdict::Fenced);
    }
    let row = row(store, "a");
    assert_eq!((row.position.place, row.failures, row.state), (Place(0), 0, WebhookState::Enabled));
    assert!(store.remove_webhook(&name("a"), &by()).unwrap());
    assert_eq!(settle(store, &current, Settlement::Delivered(Place(1))), AdvanceVerdict::Fenced);
}

pub fn a_rotation_keeps_the_secret_before_for_a_while(tested: &TestedStore) {
    let store = &*tested.store;
    add(store, "a");
    let stored = || store.webhook(&name("a")).unwrap().unwrap();
    assert_eq!((stored().sealed_secret, stored().previous_secret), (vec![1; 60], None));
    assert!(store.rotate_webhook(&name("a"), &[2; 60], MINUTE, &by()).unwrap());
    assert_eq!((stored().sealed_secret, stored().previous_secret), (vec![2; 60], Some(vec![1; 60])));
    assert!(row(store, "a").previous_until.is_some());
    assert!(store.rotate_webhook(&name("a"), &[3; 60], Duration::ZERO, &by()).unwrap());
    assert_eq!((stored().sealed_secret, stored().previous_secret), (vec![3; 60], None));
    assert_eq!(row(store, "a").previous_until, None);
    assert!(!store.rotate_webhook(&name("b"), &[2; 60], MINUTE, &by()).unwrap());
    assert!(store.webhook(&name("b")).unwrap().is_none());
}

pub fn sealed_secrets_are_replaced_all_or_none(tested: &TestedStore) {
    let store = &*tested.store;
    drop(["a", "b"].map(|text| add(store, text)));
    store.rotate_webhook(&name("a"), &[2; 60], MINUTE, &by()).unwrap();
    let mut seen = Vec::new();
    let refused = store.reseal_webhooks(
        "abc",
        &mut |name, sealed| {
            seen.push((name.to_string(), sealed[0]));
            if name.as_str() == "b" { Reseal::Refuse } else { Reseal::Replace(vec![9; 60]) }
        },
        &by(),
    );
    assert_eq!(refused.unwrap(), ResealWebhooksVerdict::Refused(name("b")));
    assert_eq!(seen, [("a".to_owned(), 2), ("a".to_owned(), 1), ("b".to_owned(), 1)]);
    let secrets = |text| {
        let stored = store.webhook(&name(text)).unwrap().unwrap();
        (stored.sealed_secret[0], stored.previous_secret.map(|secret| secret[0]))
    };
    assert_eq!((secrets("a"), secrets("b")), ((2, Some(1)), (1, None)));
    let mut reseal = |_: &WebhookName, sealed: &[u8]| match sealed[0] {
        1 => Reseal::Replace(vec![7; 60]),
        _ => Reseal::Keep,
    };
    let done = store.reseal_webhooks("abc", &mut reseal, &by()).unwrap();
    assert_eq!(done, ResealWebhooksVerdict::Done { replaced: 2, kept: 1 });
    assert_eq!((secrets("a"), secrets("b")), ((2, Some(7)), (7, None)));
}

pub fn each_change_by_a_person_is_in_the_audit_log_without_a_secret(tested: &TestedStore) {
    let store = &*tested.store;
    add(store, "in");
    store.rotate_webhook(&name("in"), &[2; 60], MINUTE, &by()).unwrap();
    sign_some(store, 1);
    let before = store.audit_log(AuditId(0), 99).unwrap().len();
    let claimed = claim(store, "in", 1).unwrap();
    settle(store, &claimed, failed(Duration::ZERO));
    assert_eq!(store.audit_log(AuditId(0), 99).unwrap().len(), before, "a failure is no change");
    store.disable_webhook(&name("in"), "tired", &by()).unwrap();
    store.enable_webhook(&name("in"), &by()).unwrap();
    store.remove_webhook(&name("in"), &by()).unwrap();
    let log = store.audit_log(AuditId(0), 99).unwrap();
    let of_webhooks: Vec<_> = log
        .iter()
        .filter(|row| row.object == "in")
        .map(|row| (row.action.as_str(), row.after.as_deref().unwrap()))
        .collect();
    let expected = [
        ("webhook.add", "https://in.example/hook; may be internal"),
        ("webhook.rotate", "another secret"),
        ("webhook.disable", "tired"),
        ("webhook.enable", "enabled"),
        ("webhook.remove", "removed"),
    ];
    assert_eq!(of_webhooks, expected);
}
