//! Keys: listed in the order of use, made, put into other states; and their public halves, for everybody.

use data_encoding::BASE64;
use serde_json::{Value, json};
use support::{
    api::{json, text},
    openssl::openssl,
    sandbox::Sandbox,
};

use crate::site::{Site, signed};

#[test]
fn keys_are_made_listed_in_the_order_of_use_and_retired_for_good_and_each_change_is_logged() {
    let site = Site::over(signed("1"), "read,operate", &[]);
    let (status, made) = site.send("POST", "/v1/keys", &json!({"count": 2, "bits": 3072}));
    assert_eq!((status, made["keys"].as_array().unwrap().len()), (201, 2));
    assert!(!made.to_string().contains("sealed") && !made.to_string().contains("private"));
    let ids = |path: &str| -> Vec<String> {
        let page = site.get(path);
        page["keys"].as_array().unwrap().iter().map(|key| key["id"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(ids("/v1/keys"), ["2", "3", "4", "1"], "key 1 was used");
    let page = site.get("/v1/keys?limit=2&order=added");
    let next = page["next"].as_str().unwrap();
    assert_eq!(ids(&format!("/v1/keys?order=added&after={next}")), ["3", "4"]);

    let name = made["keys"][0]["fingerprint"].as_str().unwrap().to_owned();
    let path = format!("/v1/keys/{name}");
    let change = |state: &str| site.send("PATCH", &path, &json!({"state": state, "reason": "a \"test\""}));
    let (status, key) = change("disabled");
    assert_eq!((status, &key["state"], &key["reason"]), (200, &"disabled".into(), &"a \"test\"".into()));
    assert_eq!(site.get(&path), key);
    assert_eq!(ids("/v1/keys?state=disabled"), ["3"]);
    assert_eq!(change("retired").0, 200);
    let (status, problem) = change("active");
    assert_eq!((status, &problem["type"]), (409, &"/problems/retired-is-final".into()));
    let unknown = site.send("PATCH", &format!("/v1/keys/{}", "0".repeat(64)), &json!({"state": "active"}));
    assert_eq!(unknown.0, 404);
    for wrong in
        [json!({}), json!({"state": "canary"}), json!({"state": "active", "reason": "x".repeat(1001)})]
    {
        assert_eq!(site.send("PATCH", &path, &wrong).0, 400, "{wrong}");
    }
    for wrong in [json!({"count": 0}), json!({"count": 21}), json!({"bits": 1024}), json!({"bits": 8192})] {
        assert_eq!(site.send("POST", "/v1/keys", &wrong).0, 400, "{wrong}");
    }
    let log = site.sandbox.ok(&["audit-log", "--json"]);
    let of_token = log.lines().filter(|line| line.contains("\"who\":\"token:")).count();
    assert_eq!(of_token, 4, "two keys were added and two states changed by the token:\n{log}");
}

#[test]
fn a_process_without_the_master_key_makes_no_keys() {
    let site = Site::over(Sandbox::migrated(), "operate", &["--roles", "emit"]);
    let (status, problem) = site.send("POST", "/v1/keys", &json!({}));
    assert_eq!((status, &problem["type"]), (409, &"/problems/no-master-key".into()));
    let read = Site::over(Sandbox::migrated(), "read", &[]);
    assert_eq!(read.send("POST", "/v1/keys", &json!({})).0, 403);
}

/// The key in DER, as openssl makes it of the numbers of a JSON Web Key.
fn der(sandbox: &Sandbox, jwk: &Value) -> Vec<u8> {
    let number = |name: &str| {
        let bytes = data_encoding::BASE64URL_NOPAD.decode(jwk[name].as_str().unwrap().as_bytes()).unwrap();
        data_encoding::HEXLOWER.encode(&bytes)
    };
    sandbox.write(
        "key.cnf",
        format!(
            "asn1=SEQUENCE:spki\n[spki]\nalgorithm=SEQUENCE:alg\nkey=BITWRAP,SEQUENCE:rsa\n[alg]\n\
             oid=OID:rsaEncryption\nnone=NULL\n[rsa]\nn=INTEGER:0x{}\ne=INTEGER:0x{}\n",
            number("n"),
            number("e")
        ),
    );
    openssl(&sandbox.path(""), "asn1parse -genconf key.cnf -noout -out key.der");
    std::fs::read(sandbox.path("key.der")).unwrap()
}

#[test]
fn anybody_gets_the_public_halves_and_openssl_verifies_with_them() {
    let site = Site::over(signed("3"), "read", &["--roles", "emit"]);
    site.sandbox.ok(&["keys", "retire", "1", "--yes"]);
    let signature = site.get("/v1/records/2/signature");
    let name = signature["fingerprint"].as_str().unwrap();
    let public = |path: &str| site.api.get(path, &[]);

    let pem = public(&format!("/v1/keys/{name}.pem"));
    assert_eq!(pem.headers()["cache-control"], "public, max-age=300");
    site.sandbox.write("key.pem", text(pem));
    let record = site.get("/v1/records/2?with_payload=true");
    let bytes = |value: &Value| BASE64.decode(value.as_str().unwrap().as_bytes()).unwrap();
    site.sandbox.write("payload", bytes(&record["payload_base64"]));
    site.sandbox.write("signature", bytes(&signature["signature"]));
    let verify = "-sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:32 -signature signature payload";
    let verified =
        |key: &str| openssl(&site.sandbox.path(""), &format!("dgst -sha256 -verify {key} {verify}"));
    assert_eq!(verified("key.pem"), b"Verified OK\n");

    let jwk = json(public(&format!("/v1/keys/{name}.jwk")));
    assert_eq!((&jwk["kty"], &jwk["use"], &jwk["kid"]), (&"RSA".into(), &"sig".into(), &name.into()));
    assert!(jwk.get("alg").is_none() && jwk.get("d").is_none());
    site.sandbox.write("jwk.der", der(&site.sandbox, &jwk));
    assert_eq!(verified("jwk.der -keyform DER"), b"Verified OK\n");

    let kids = |path: &str| -> Vec<Value> {
        let set = json(public(path));
        set["keys"].as_array().unwrap().iter().map(|key| key["kid"].clone()).collect()
    };
    assert_eq!(kids("/v1/jwks.json").len(), 2, "a retired key must stay");
    assert_eq!(kids("/.well-known/jwks.json"), kids("/v1/jwks.json"));
    assert_eq!(kids(&format!("/v1/jwks.json?kid={name}")), [name]);
    assert_eq!(kids("/v1/jwks.json?state=retired"), [name]);
    assert!(kids(&format!("/v1/jwks.json?kid={}", "0".repeat(64))).is_empty());
    let set = public("/v1/jwks.json");
    assert_eq!(set.headers()["content-type"], "application/jwk-set+json");
    let tag = set.headers()["etag"].to_str().unwrap().to_owned();
    assert_eq!(site.api.get("/v1/jwks.json", &[("if-none-match", &tag)]).status(), 304);
    for path in ["/v1/keys/canary.pem".to_owned(), format!("/v1/keys/{}.jwk", "0".repeat(64))] {
        assert_eq!(public(&path).status(), 404, "{path}");
    }
    assert_eq!(public(&format!("/v1/keys/{name}")).status(), 401, "the rest is for those with a token");
}
