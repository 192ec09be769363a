//! Verifying: the service says of each signature what openssl says.

use data_encoding::BASE64;
use serde_json::{Value, json};

use crate::site::{Site, signed};

#[test]
fn a_signature_is_valid_or_not_and_the_answer_says_why() {
    let site = Site::over(signed("2"), "read", &["--roles", "emit"]);
    site.sandbox.sql("INSERT INTO record (payload) VALUES ('waits')");
    let record = site.get("/v1/records/1?with_payload=true");
    let signature = site.get("/v1/records/1/signature");
    let question = json!({
        "payload_base64": record["payload_base64"],
        "signature": signature["signature"],
        "fingerprint": signature["fingerprint"],
        "scheme": signature["scheme"],
    });
    let with = |name: &str, value: Value| {
        let mut question = question.clone();
        question[name] = value;
        question
    };
    let ask = |question: &Value| site.send("POST", "/v1/verify", question);
    assert_eq!(ask(&question), (200, json!({"valid": true})));
    let mismatch = (200, json!({"valid": false, "reason": "mismatch"}));
    assert_eq!(ask(&with("payload_base64", "AAAA".into())), mismatch);
    assert_eq!(ask(&with("scheme", "PS384".into())), mismatch);
    let other = site.get("/v1/records/2/signature");
    assert_eq!(ask(&with("signature", other["signature"].clone())), mismatch);
    let short = BASE64.encode(&[1; 255]);
    assert_eq!(
        ask(&with("signature", short.into())),
        (200, json!({"valid": false, "reason": "wrong-length"}))
    );
    let unknown = ask(&with("fingerprint", "0".repeat(64).into()));
    assert_eq!((unknown.0, &unknown.1["type"]), (404, &"/problems/not-found".into()));

    assert_eq!(ask(&json!({"record_id": "1"})), (200, json!({"valid": true})));
    assert_eq!(ask(&json!({"record_id": "1", "signature": other["signature"]})), mismatch);
    assert_eq!(ask(&json!({"record_id": "3"})), (200, json!({"valid": false, "reason": "not-signed"})));
    assert_eq!(ask(&json!({"record_id": "9"})).0, 404);
    for wrong in [json!({}), json!({"record_id": "1", "scheme": "PS256"}), json!({"canary": 1}), json!([])] {
        let (status, problem) = ask(&wrong);
        assert_eq!((status, &problem["type"]), (400, &"/problems/invalid-request".into()), "{wrong}");
        assert!(!problem.to_string().contains("canary"));
    }
}
