//! `verify --bundle`, and the verifier in one Python file beside it: both say the same of every bundle.

use std::{collections::BTreeMap, fs, path::Path, process::Output, sync::OnceLock};

use data_encoding::{BASE64, HEXLOWER};
use signwave::{
    domain::{DigestAlgorithm, RecordId, Scheme, ledger::Bundle},
    formats::bundle::write,
    signer::digest,
};
use support::{
    bundles::{
        Batch, Ledger,
        mutants::{self, Mutants},
    },
    openssl::openssl,
    root,
    sandbox::Sandbox,
};

fn ledger() -> &'static Ledger {
    static LEDGER: OnceLock<Ledger> = OnceLock::new();
    LEDGER.get_or_init(Ledger::new)
}

fn text(bundles: &[Bundle]) -> String {
    bundles.iter().map(|bundle| write(bundle).unwrap() + "\n").collect()
}

/// The verdicts of both verifiers, which must agree: `Ok` with the line of a bundle that is verified, `Err` with the check
/// that failed.
fn verdicts(bundles: &str, pins: &[&str]) -> Vec<Result<String, String>> {
    let sandbox = Sandbox::new();
    sandbox.write("bundles", bundles);
    let (ours, python) = both(&sandbox, &[&["bundles"], pins].concat());
    assert_eq!(sandbox.files(), ["bundles"], "nothing is made, and no database is needed");
    assert_eq!(ours.status.code(), python.status.code());
    let read = |output: Output| {
        assert!(output.stderr.is_empty(), "{output:?}");
        let text = String::from_utf8(output.stdout).unwrap();
        text.lines().map(verdict).collect::<Vec<_>>()
    };
    let (ours, python) = (read(ours), read(python));
    assert_eq!(ours, python);
    let refused = ours.iter().filter(|verdict| verdict.is_err()).count();
    let summary = format!("{} verified, {refused} refused", ours.len() - 1 - refused);
    assert_eq!(ours.last(), Some(&Ok(summary)));
    ours[..ours.len() - 1].to_vec()
}

fn verdict(line: &str) -> Result<String, String> {
    match line.split_once("refused (") {
        Some((_, refusal)) => Err(refusal.split_once("): ").unwrap().0.to_owned()),
        None => Ok(line.to_owned()),
    }
}

/// Runs both verifiers with the same arguments.
fn both(sandbox: &Sandbox, arguments: &[&str]) -> (Output, Output) {
    let file = root().join("packaging/bundle/verify_bundle.py");
    let python = [&[file.to_str().unwrap()], arguments].concat();
    let python = sandbox.program("python3", &python).output().unwrap();
    (sandbox.run(&[&["verify", "--bundle"], arguments].concat()), python)
}

fn vkey() -> String {
    ledger().vkey().to_string()
}

#[test]
fn every_bundle_is_verified_and_the_verdict_says_what_it_rests_on() {
    let (bundles, vkey) = (text(&ledger().bundles), vkey());
    let by_ledger = verdicts(&bundles, &["--ledger", &vkey]);
    assert_eq!(by_ledger.len(), 36);
    let keys: Vec<_> = ledger().bundles.iter().map(|bundle| bundle.entry.fingerprint.to_string()).collect();
    let expected = |(at, bundle): (usize, &Bundle)| {
        let without = if bundle.payload.is_some() { "" } else { "; without its payload" };
        let id = bundle.record;
        let named =
            r#" "n\u00e4m\u00eb \"ID\" \\\t\u007f\u2028\ud834\udd1e\u202e<img src=x onerror=alert(1)>""#
                .replace("ID", &id.to_string());
        let named = if bundle.external_id.is_some() { &*named } else { "" };
        Ok(format!(
            "line {}: record {id}{named}: verified: {} by key {}, entry {} of 11 in signwave/0123456789abcdef/2{without}",
            at + 1,
            bundle.scheme,
            keys[at],
            bundle.in_ledger.index + 1
        ))
    };
    assert_eq!(by_ledger, ledger().bundles.iter().enumerate().map(expected).collect::<Vec<_>>());

    // With pinned keys of records alone, and with both.
    let mut pins: Vec<_> = keys.iter().flat_map(|key| ["--key", key]).collect();
    let by_keys = verdicts(&bundles, &pins);
    assert!(
        by_keys
            .iter()
            .flatten()
            .all(|line| line.contains("; no ledger is pinned, so the receipt proves nothing"))
    );
    pins.extend(["--ledger", &vkey]);
    assert_eq!(verdicts(&bundles, &pins), by_ledger);
}

#[test]
fn a_bundle_is_refused_when_what_is_pinned_is_another() {
    let bundles = text(&ledger().bundles[..1]);
    let key = ledger().bundles[0].entry.fingerprint.to_string();
    let other_key = ledger().bundles[5].entry.fingerprint.to_string();
    let other = Ledger::new().vkey();
    let mut before = ledger().vkey();
    before.origin.incarnation = 1.try_into().unwrap();
    let (vkey, other, before) = (vkey(), other.to_string(), before.to_string());
    for (pins, check) in [
        (vec!["--key", &other_key], "key"),
        (vec!["--ledger", &vkey, "--key", &other_key], "key"),
        (vec!["--ledger", &other], "checkpoint"),
        (vec!["--ledger", &before, "--key", &key], "checkpoint"),
    ] {
        assert_eq!(verdicts(&bundles, &pins), [Err(check.to_owned())], "{pins:?}");
    }
    let pins = ["--key", &other_key, "--key", &key.to_uppercase(), "--ledger", &before, "--ledger", &vkey];
    assert!(verdicts(&bundles, &pins)[0].is_ok());
}

const RSA: &str = "-algorithm RSA -pkeyopt rsa_keygen_bits:2048";
const PSS: &str = "-algorithm RSA-PSS -pkeyopt rsa_keygen_bits:2048";

/// Signs one record with openssl, with a new key of this kind.
fn signed_by_openssl(folder: &Path, kind: &str, scheme: Scheme, record: i64) -> Batch {
    openssl(folder, &format!("genpkey {kind} -out key"));
    openssl(folder, "pkey -in key -pubout -outform DER -out spki");
    let payload = b"signed by openssl".to_vec();
    let hash = format!("sha{}", &scheme.name()[2..]);
    fs::write(folder.join("digest"), digest(scheme.digest(), &payload).as_bytes()).unwrap();
    let pss =
        format!("-pkeyopt rsa_padding_mode:pss -pkeyopt rsa_pss_saltlen:digest -pkeyopt rsa_mgf1_md:{hash}");
    let padding = if scheme.is_pss() { &pss } else { "" };
    let sign = format!("pkeyutl -sign -inkey key -in digest -pkeyopt digest:{hash} {padding}");
    let signature = openssl(folder, &sign);
    Batch {
        spki: fs::read(folder.join("spki")).unwrap(),
        scheme,
        signed: vec![(RecordId(record), payload, signature)],
    }
}

#[test]
fn a_key_that_sign_wave_would_not_take_is_refused_whoever_pins_it() {
    let sandbox = Sandbox::new();
    let bits = |bits: u32| format!("-algorithm RSA -pkeyopt rsa_keygen_bits:{bits}");
    let kinds = [bits(1024), bits(2040), bits(2048) + " -pkeyopt rsa_keygen_pubexp:3"];
    let batches = kinds.iter().map(|kind| signed_by_openssl(&sandbox.path(""), kind, Scheme::Ps256, 1));
    let ledger = Ledger::of(batches.collect::<Vec<_>>());
    let refused = verdicts(&text(&ledger.bundles), &["--ledger", &ledger.vkey().to_string()]);
    assert_eq!(refused, [(); 3].map(|()| Err("key".to_owned())));
}

#[test]
fn what_openssl_has_signed_is_verified_also_with_restricted_keys() {
    let sandbox = Sandbox::new();
    let restricted = |hash: u32, salt: u32| {
        let pss = format!("{PSS} -pkeyopt rsa_pss_keygen_md:sha{hash}");
        format!("{pss} -pkeyopt rsa_pss_keygen_mgf1_md:sha{hash} -pkeyopt rsa_pss_keygen_saltlen:{salt}")
    };
    let kinds = [
        (RSA, Scheme::Ps256),
        (RSA, Scheme::Rs512),
        (PSS, Scheme::Ps384),
        (&restricted(256, 32), Scheme::Ps256),
        (&restricted(512, 0), Scheme::Ps512),
        (&restricted(384, 20), Scheme::Ps384), // the default of a salt's length is not written
    ];
    let batches = kinds.iter().zip(1..);
    let batches =
        batches.map(|((kind, scheme), record)| signed_by_openssl(&sandbox.path(""), kind, *scheme, record));
    let ledger = Ledger::of(batches);
    let vkey = ledger.vkey().to_string();
    assert!(verdicts(&text(&ledger.bundles), &["--ledger", &vkey]).iter().all(Result::is_ok));
    all_refused(&mutants::changed(&ledger), &ledger);
    for bundle in &ledger.bundles {
        all_refused(&mutants::misspelled(bundle, 100), &ledger);
    }
}

/// Checks that each is refused, and returns how many fail each check.
fn all_refused(mutants: &Mutants, ledger: &Ledger) -> BTreeMap<String, usize> {
    let lines: String = mutants.iter().map(|(_, mutant)| format!("{mutant}\n")).collect();
    let mut checks = BTreeMap::new();
    for ((what, _), verdict) in
        mutants.iter().zip(verdicts(&lines, &["--ledger", &ledger.vkey().to_string()]))
    {
        let check = verdict.expect_err(&format!("it is refused: {what}"));
        *checks.entry(check).or_default() += 1;
    }
    println!("{} refused: {checks:?}", mutants.len());
    checks
}

#[test]
fn a_bundle_with_anything_changed_is_refused_by_both() {
    let mutants = mutants::changed(ledger());
    let checks = all_refused(&mutants, ledger());
    assert!(mutants.len() > 500);
    let all = ["batch", "checkpoint", "digest", "entry", "form", "key", "ledger", "record", "signature"];
    assert!(checks.keys().eq(&all), "every check refuses something: {checks:?}");
}

#[test]
fn a_bundle_in_another_spelling_is_refused_by_both() {
    let bundle = &ledger().bundles[1];
    let checks = all_refused(&mutants::respelled(bundle), ledger());
    assert!(checks["form"] > 70, "{checks:?}");
    let checks = all_refused(&mutants::misspelled(bundle, 400), ledger());
    assert!(checks.len() > 7, "{checks:?}");
}

#[test]
fn a_document_is_compared_with_the_only_bundle() {
    let sandbox = Sandbox::new();
    let bundle = ledger().bundles.iter().find(|bundle| bundle.record.0 == 4).unwrap();
    let without = Bundle { payload: None, ..bundle.clone() };
    sandbox.write("right", bundle.payload.as_ref().unwrap());
    sandbox.write("wrong", "payload of 5");
    sandbox.write("one", text(&[without]));
    sandbox.write("with", text(std::slice::from_ref(bundle)));
    sandbox.write("two", text(&[bundle.clone(), bundle.clone()]));
    let vkey = vkey();
    for (file, document, code, said) in [
        ("one", "right", 0, "/2\n1 verified, 0 refused\n"),
        ("with", "right", 0, "/2\n1 verified, 0 refused\n"),
        (
            "one",
            "wrong",
            1,
            "(digest): the document does not have the digest of the bundle\n0 verified, 1 refused\n",
        ),
        ("two", "right", 1, ""),
        ("one", "none", 1, ""),
    ] {
        let (ours, python) = both(&sandbox, &[file, "--document", document, "--ledger", &vkey]);
        assert_eq!(
            (ours.status.code(), python.status.code()),
            (Some(code), Some(code)),
            "{ours:?} {python:?}"
        );
        assert_eq!(
            String::from_utf8(ours.stdout.clone()).unwrap(),
            String::from_utf8(python.stdout).unwrap()
        );
        assert!(String::from_utf8(ours.stdout).unwrap().ends_with(said), "{file} {document}");
    }
}

/// The text of a key, with the id that fits.
fn vkey_of(name: &str, kind: u8, key: &[u8]) -> String {
    let key = [&[kind], key].concat();
    let id = digest(DigestAlgorithm::Sha256, &[name.as_bytes(), b"\n", &key].concat());
    format!("{name}+{}+{}", HEXLOWER.encode(&id.as_bytes()[..4]), BASE64.encode(&key))
}

#[test]
fn nothing_is_verified_without_a_pin_or_a_bundle() {
    let sandbox = Sandbox::new();
    let (bundles, vkey) = (text(&ledger().bundles[..2]), vkey());
    sandbox.write("bundles", &bundles);
    sandbox.write("unended", bundles.trim_end());
    sandbox.write("blank", format!("{bundles}\n"));
    sandbox.write("crlf", bundles.replace('\n', "\r\n"));
    sandbox.write("empty", "");
    let short = &vkey[..vkey.len() - 4];
    let public = ledger().vkey().public;
    let unfit = [
        vkey_of("signwave/0123456789abcdef/2", 2, &public),
        vkey_of("example.com", 1, &public),
        vkey_of("signwave/0123456789abcdef/02", 1, &public),
        vkey_of("signwave/0123456789abcdef/2", 1, &public[1..]),
        vkey.replace("/2+", "/2+0"),
        vkey.replace("/2+", "/3+"),
    ];
    assert_eq!(vkey_of("signwave/0123456789abcdef/2", 1, &public), vkey);
    for (arguments, code) in [
        (vec!["bundles"], 2),
        (vec!["bundles", "--key", "ab"], 2),
        (vec!["bundles", "--ledger", short], 2),
        (vec!["bundles", "--ledger", &vkey], 0),
        (vec!["unended", "--ledger", &vkey], 0),
        (vec!["blank", "--ledger", &vkey], 1),
        (vec!["crlf", "--ledger", &vkey], 1),
        (vec!["empty", "--ledger", &vkey], 1),
        (vec!["none", "--ledger", &vkey], 1),
        (vec!["-", "--ledger", &vkey], 1),
    ] {
        let (ours, python) = both(&sandbox, &arguments);
        let codes = (ours.status.code(), python.status.code());
        assert_eq!(codes, (Some(code), Some(code)), "{arguments:?}: {ours:?} {python:?}");
    }
    for other in &unfit {
        let (ours, python) = both(&sandbox, &["bundles", "--ledger", other]);
        assert_eq!((ours.status.code(), python.status.code()), (Some(2), Some(2)), "{other}");
    }
    let message = sandbox.fails(2, &["verify", "--bundle", "bundles"]);
    assert!(message.starts_with("nothing is pinned: give --ledger VKEY"), "{message}");
}
