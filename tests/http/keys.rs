//! Keys: listed in the order of use, made, put into other states; and their public halves, for everybody.

use std::time::Duration;

use data_encoding::BASE64;
use serde_json::{Value, json};
use support::{
    api::{json, text},
    certificates::{authority, certify, chain},
    openssl::openssl,
    sandbox::Sandbox,
    waiting::until,
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
    let stored = site.sandbox.number("SELECT count(*) FROM signing_key");
    for array in [json!([]), json!([1]), json!([1, 2048])] {
        assert_eq!(site.send("POST", "/v1/keys", &array).0, 400, "{array}");
        assert_eq!(site.send("PATCH", &path, &json!(["retired", "by place"])).0, 400);
    }
    assert_eq!(site.sandbox.number("SELECT count(*) FROM signing_key"), stored, "an array is not an object");
    let log = site.sandbox.ok(&["audit-log", "--json"]);
    let of_token = log.lines().filter(|line| line.contains("\"who\":\"token:")).count();
    assert_eq!(of_token, 4, "two keys were added and two states changed by the token:\n{log}");
}

#[test]
fn limits_of_a_key_are_set_shown_and_removed() {
    let site = Site::over(signed("1"), "read,operate", &[]);
    let listed = site.get("/v1/keys?order=added");
    let path = format!("/v1/keys/{}", listed["keys"][0]["fingerprint"].as_str().unwrap());
    let change = |limits: Value| site.send("PATCH", &path, &limits);
    let (status, key) = change(json!({"max_signatures": 1, "not_before": "2026-01-31T12:00:00Z"}));
    let shown = [&key["max_signatures"], &key["not_before"], &key["not_after"], &key["barred"]];
    let expected = [json!(1), json!("2026-01-31T12:00:00.000Z"), json!(null), json!("exhausted")];
    assert_eq!((status, shown), (200, expected.each_ref()));
    assert_eq!(site.get(&path), key);
    let (status, key) = change(json!({"max_signatures": null, "not_after": "2000-01-01T00:00:00Z"}));
    assert_eq!((status, &key["type"]), (409, &"/problems/limits-refused".into()), "it ends before it begins");
    let (status, key) = change(json!({"not_before": null, "not_after": "2000-01-01T00:00:00Z"}));
    assert_eq!((status, &key["max_signatures"], &key["barred"]), (200, &json!(1), &"expired".into()));
    for wrong in [
        json!([null, null]),
        json!({"max_signatures": 0}),
        json!({"max_signatures": "7"}),
        json!({"max_signatures": 1.5}),
        json!({"max_signatures": 9_007_199_254_740_992_i64}),
        json!({"not_after": "2027-01-01"}),
        json!({"not_after": "2027-01-01T00:00:00+01:00"}),
        json!({"not_after": null, "state": "active"}),
        json!({"reason": "alone"}),
    ] {
        assert_eq!(change(wrong.clone()).0, 400, "{wrong}");
    }
    assert_eq!(
        site.send("PATCH", &format!("/v1/keys/{}", "0".repeat(64)), &json!({"not_after": null})).0,
        404
    );
    assert_eq!(change(json!({"state": "retired"})).0, 200);
    let (status, problem) = change(json!({"max_signatures": null}));
    assert_eq!((status, &problem["type"]), (409, &"/problems/retired-is-final".into()));
    let log = site.sandbox.ok(&["audit-log", "--json"]);
    assert_eq!(log.lines().filter(|line| line.contains("\"key.limits\"")).count(), 2, "{log}");
}

#[test]
fn keys_are_made_with_limits() {
    let site = Site::over(signed("1"), "read,operate", &[]);
    let limits = json!({"max_signatures": 9, "not_before": "2026-01-31T12:00:00Z", "not_after": "9000-01-01T00:00:00Z"});
    let (status, made) = site.send("POST", "/v1/keys", &limits);
    let key = &made["keys"][0];
    let shown = [&key["max_signatures"], &key["not_before"], &key["not_after"]];
    let expected = [json!(9), json!("2026-01-31T12:00:00.000Z"), json!("9000-01-01T00:00:00.000Z")];
    assert_eq!((status, shown), (201, expected.each_ref()));
    let count = site.sandbox.number("SELECT count(*) FROM signing_key");
    for wrong in [
        json!({"max_signatures": 0}),
        json!({"not_after": "2027-01-01"}),
        json!({"not_before": "2027-01-01T00:00:00Z", "not_after": "2027-01-01T00:00:00Z"}),
    ] {
        assert_eq!(site.send("POST", "/v1/keys", &wrong).0, 400, "{wrong}");
    }
    assert_eq!(site.sandbox.number("SELECT count(*) FROM signing_key"), count);
}

#[test]
fn certificates_are_shown_with_a_key_and_in_its_web_key_and_only_if_they_are_its_own() {
    let site = Site::over(signed("1"), "read,operate", &[]);
    let folder = site.sandbox.path("");
    authority(&folder, "root", "rsa:2048", None);
    for key in ["1", "2"] {
        site.sandbox.write("public", site.sandbox.ok(&["keys", "show", key, "--pem"]));
        certify(&folder, "public", &format!("leaf-{key}"), "root", 10);
    }
    chain(&folder, "chain.pem", &["leaf-1", "root"]);
    let listed = site.get("/v1/keys?order=added");
    let name = listed["keys"][0]["fingerprint"].as_str().unwrap();
    let path = format!("/v1/keys/{name}");
    let shown = || {
        let set = site.get(&format!("/v1/jwks.json?kid={name}"))["keys"][0].clone();
        [site.get(&path), site.get(&format!("{path}.jwk")), set].map(|key| key["x5c"].clone())
    };
    assert_eq!(shown(), [json!(null), json!(null), json!(null)]);
    site.sandbox.ok(&["keys", "certify", "1", "chain.pem"]);
    let base64 = |name: &str| {
        openssl(&folder, &format!("x509 -in {name}.pem -outform DER -out {name}.der"));
        BASE64.encode(&std::fs::read(folder.join(format!("{name}.der"))).unwrap())
    };
    let expected = json!([base64("leaf-1"), base64("root")]);
    assert_eq!(shown(), [&expected; 3].map(Clone::clone));
    assert!(site.get("/v1/keys").to_string().find("x5c").is_none(), "lists stay short");
    until("the set of all keys is read again", Duration::from_secs(10), || {
        let set = site.get("/v1/jwks.json");
        let keys = set["keys"].as_array().unwrap();
        keys[0]["x5c"] == expected && keys[1..].iter().all(|key| key.get("x5c").is_none())
    });
    site.sandbox.ok(&["keys", "certify", "2", "leaf-2.pem"]);
    site.sandbox
        .sql("UPDATE signing_key SET certificates = (SELECT certificates FROM signing_key WHERE id = 2)");
    assert_eq!(shown(), [json!(null), json!(null), json!(null)]);
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
