//! curl and openssl in a shell, as people paste them.

use support::sandbox::succeeded;

use crate::service::Service;

/// What a person pastes. The signature is verified by openssl alone.
const PASTED: &str = r#"
curl -sSf "$URL/v1/records" \
  -H "Authorization: Bearer $TOKEN" \
  -H 'Content-Type: application/json' \
  -H 'Prefer: wait=30' \
  -d '{
    "external_id": "invoice-1",
    "payload": "pay 10"
  }' > answer.json

printf 'pay 10' > payload
jq -r .signature.signature answer.json | base64 -d > signature
curl -sSf "$URL/v1/keys/$(jq -r .signature.fingerprint answer.json).pem" > key.pem
openssl dgst -sha256 -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:digest \
  -verify key.pem -signature signature payload

seq 1 5000 | jq -c '{external_id: "line-\(.)", payload: "text \(.)"}' > lines.jsonl
curl -sSf "$URL/v1/records/bulk" \
  -H "Authorization: Bearer $TOKEN" \
  -H 'Content-Type: application/x-ndjson' \
  -T - -X POST < lines.jsonl | tail -n 1 | jq -c '[.ok, .inserted]'
curl -sSf "$URL/v1/records/bulk" -H "Authorization: Bearer $TOKEN" \
  -H 'Content-Type: application/x-ndjson' --data-binary @lines.jsonl |
  tail -n 1 | jq -c '[.ok, .already_there]'

until curl -sSf "$URL/v1/status" -H "Authorization: Bearer $TOKEN" | jq -e '.records.signed == 5001' > /dev/null
do true; done
curl -sSf "$URL/v1/signatures" -H "Authorization: Bearer $TOKEN" > signatures.jsonl
tail -n 1 signatures.jsonl | jq -c '[.end, .signatures, (.position | test("^[0-9a-f]{12}[.][0-9]+$"))]'
curl -sS -o problem.json -w '%{http_code} %{content_type}\n' "$URL/v1/status"
"#;

#[test]
fn what_is_pasted_into_a_shell_submits_verifies_and_exports() {
    let service = Service::start(&[]);
    let mut shell = service.client("submit,read", &["bash", "-euo", "pipefail", "-c", PASTED]);
    let said = succeeded(&shell.output().unwrap());
    let expected = "Verified OK\n[true,5000]\n[true,5000]\n[true,5001,true]\n401 application/problem+json\n";
    assert_eq!(said, expected);
    assert_eq!(service.sandbox.read("signatures.jsonl").lines().count(), 5002);
}
