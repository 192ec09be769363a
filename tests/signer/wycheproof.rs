//! Project Wycheproof's vectors for RSA signatures (PKCS#1 v1.5 and PSS) and Ed25519, through all engines and the verifiers of
//! bundles: each is a trap that some library fell into.

use std::{collections::BTreeMap, fmt::Write as _, fs, process::Command};

use data_encoding::HEXLOWER;
use pkcs8::{
    SubjectPublicKeyInfoRef,
    der::{Encode, asn1::BitStringRef},
};
use rsa::pkcs1;
use signwave::{
    domain::Scheme,
    signer::{Engine, PublicKey, SignerError, digest, verify_with_ledger_key},
};
use wycheproof::{HashFunction, Mgf, TestResult, eddsa, rsa_pkcs1_verify, rsa_pss_verify};

/// How many vectors came to what.
#[derive(Default)]
struct Tally {
    counts: BTreeMap<&'static str, usize>,
    /// A line for each vector, as [`PYTHON`] and [`PAGE`] read it.
    for_bundles: String,
}

/// Reads a key, a scheme, a digest, a signature and what is expected, and prints what is otherwise.
const PYTHON: &str = r"
import sys
from verify_bundle import is_signature, parse_key
for line in sys.stdin:
    spki, scheme, digest, signature, expected = line.strip().split(' ')  # a signature can be empty
    n, e, _, _ = parse_key(bytes.fromhex(spki))
    verifies = is_signature(n, e, scheme, bytes.fromhex(digest), bytes.fromhex(signature))
    if verifies != (expected == 'true'):
        print(line)
";

/// The same for Ed25519: a key, a message, a signature and what is expected.
const PYTHON_ED25519: &str = r"
import sys
from verify_bundle import ed25519_verify
for line in sys.stdin:
    key, message, signature, expected = line.strip().split(' ')
    if ed25519_verify(*map(bytes.fromhex, (key, message, signature))) != (expected == 'true'):
        print(line)
";

/// The same, with the script of the page. It ends before it looks for a document.
const PAGE: &str = r"
const fs = require('node:fs');
const [script] = fs.readFileSync('verify.html', 'utf8').split('<script>')[1].split('// The page\n');
const { parseKey, isSignature } = new Function(`${script}; return { parseKey, isSignature };`)();
const bytes = (hex) => Uint8Array.from(Buffer.from(hex, 'hex'));
(async () => {
  for (const line of fs.readFileSync(0, 'utf8').trimEnd().split('\n')) {
    const [spki, scheme, digest, signature, expected] = line.split(' ');
    const verifies = await isSignature(await parseKey(bytes(spki)), scheme, bytes(digest), bytes(signature));
    if (String(verifies) !== expected) console.log(line);
  }
})();
";

impl Tally {
    fn add(&mut self, count: usize, what: &'static str) {
        *self.counts.entry(what).or_default() += count;
    }

    fn of(&self, what: &str) -> usize {
        self.counts.get(what).copied().unwrap_or(0)
    }

    /// Shows all vectors to verifiers of bundles that are not in Rust. They must judge them in the same way.
    fn check_bundles(&self, verifiers: &[(&str, &str, &str)]) {
        let folder = tempfile::tempdir().unwrap();
        let vectors = folder.path().join("vectors");
        fs::write(&vectors, &self.for_bundles).unwrap();
        for (program, option, code) in verifiers {
            let mut verifier = Command::new(program);
            verifier.args([option, code]).current_dir(support::root().join("packaging/bundle"));
            let output = verifier.stdin(fs::File::open(&vectors).unwrap()).output().unwrap();
            assert!(output.status.success() && output.stdout.is_empty(), "{output:?}");
        }
    }

    fn print(&self, padding: &str) {
        let counts: Vec<_> = self.counts.iter().map(|(what, count)| format!("{count} {what}")).collect();
        println!("measured: {padding}: {}", counts.join(", "));
    }
}

/// A vector, whatever its padding.
struct Vector<'a> {
    message: &'a [u8],
    signature: &'a [u8],
    result: TestResult,
    /// For messages.
    name: String,
}

/// Checks the vectors of one key. With other `parameters` than the scheme has, only those that are valid
/// under them say something: they are none of ours.
fn check(tally: &mut Tally, key: &[u8], scheme: Scheme, parameters: Parameters, vectors: &[Vector<'_>]) {
    let key = match PublicKey::from_spki(&spki(key)) {
        Ok(key) => key,
        Err(SignerError::Refused(_)) => return tally.add(vectors.len(), "skipped: key refused"),
        Err(error) => panic!("{error}"),
    };
    let verifiers = Engine::ALL.map(|engine| engine.verifier(&key).unwrap());
    for vector in vectors {
        let (what, expected) = match (vector.result, parameters) {
            (TestResult::Valid, Parameters::Ours) => ("valid", true),
            (TestResult::Invalid, Parameters::Ours) => ("invalid", false),
            // What some tolerate is not tolerated here.
            (TestResult::Acceptable, Parameters::Ours) => ("acceptable, refused", false),
            (TestResult::Valid, Parameters::Others) => ("valid with other parameters, refused", false),
            (_, Parameters::Others) => {
                tally.add(1, "skipped: invalid with other parameters");
                continue;
            }
        };
        let digest = digest(scheme.digest(), vector.message);
        for (engine, verifier) in Engine::ALL.iter().zip(&verifiers) {
            let verifies = verifier.verify(scheme, &digest, vector.signature);
            assert_eq!(verifies, expected, "{engine} {scheme}: {}, {:?}", vector.name, vector.result);
        }
        let [spki, digest, signature] =
            [key.spki(), digest.as_bytes(), vector.signature].map(|bytes| HEXLOWER.encode(bytes));
        writeln!(tally.for_bundles, "{spki} {scheme} {digest} {signature} {expected}").unwrap();
        tally.add(1, what);
    }
}

/// Whether the salt's length and the hash of MGF1 are those of our schemes.
#[derive(Clone, Copy)]
enum Parameters {
    Ours,
    Others,
}

/// DER SubjectPublicKeyInfo around a PKCS#1 `RSAPublicKey`.
fn spki(key: &[u8]) -> Vec<u8> {
    let subject_public_key = BitStringRef::from_bytes(key).unwrap();
    SubjectPublicKeyInfoRef { algorithm: pkcs1::ALGORITHM_ID, subject_public_key }.to_der().unwrap()
}

/// The vectors of a group. Each kind of test set has types of its own for the same things.
macro_rules! vectors {
    ($name:ident, $group:ident) => {{
        let vectors = $group.tests.iter().map(|test| Vector {
            message: &test.msg,
            signature: &test.sig,
            result: test.result,
            name: format!("{:?} {}: {}", $name, test.tc_id, test.comment),
        });
        vectors.collect::<Vec<_>>()
    }};
}

fn scheme_with(hash: HashFunction, [sha256, sha384, sha512]: [Scheme; 3]) -> Option<Scheme> {
    match hash {
        HashFunction::Sha2_256 => Some(sha256),
        HashFunction::Sha2_384 => Some(sha384),
        HashFunction::Sha2_512 => Some(sha512),
        _ => None,
    }
}

#[test]
fn pkcs1_signatures_are_judged_as_they_should_be() {
    let mut tally = Tally::default();
    for name in rsa_pkcs1_verify::TestName::all() {
        let set = rsa_pkcs1_verify::TestSet::load(name).unwrap();
        for group in set.test_groups {
            let vectors = vectors!(name, group);
            let schemes = [Scheme::Rs256, Scheme::Rs384, Scheme::Rs512];
            let Some(scheme) = scheme_with(group.hash, schemes) else {
                tally.add(vectors.len(), "skipped: another hash function");
                continue;
            };
            check(&mut tally, &group.asn_key, scheme, Parameters::Ours, &vectors);
        }
    }
    tally.print("PKCS#1 v1.5");
    tally.check_bundles(&[("python3", "-Bc", PYTHON), ("node", "-e", PAGE)]);
    // As many as the crate has now: none goes missing unnoticed.
    assert!(tally.of("valid") >= 84 && tally.of("invalid") >= 3005 && tally.of("acceptable, refused") >= 12);
}

#[test]
fn pss_signatures_are_judged_as_they_should_be() {
    let mut tally = Tally::default();
    for name in rsa_pss_verify::TestName::all() {
        let set = rsa_pss_verify::TestSet::load(name).unwrap();
        for group in set.test_groups {
            let vectors = vectors!(name, group);
            let schemes = [Scheme::Ps256, Scheme::Ps384, Scheme::Ps512];
            let Some(scheme) = scheme_with(group.hash, schemes) else {
                tally.add(vectors.len(), "skipped: another hash function");
                continue;
            };
            let ours = group.mgf == Mgf::Mgf1
                && group.mgf_hash == Some(group.hash)
                && group.salt_size == scheme.digest().output_len();
            let parameters = if ours { Parameters::Ours } else { Parameters::Others };
            check(&mut tally, &group.asn_key, scheme, parameters, &vectors);
        }
    }
    tally.print("PSS");
    tally.check_bundles(&[("python3", "-Bc", PYTHON), ("node", "-e", PAGE)]);
    assert!(tally.of("valid") >= 775 && tally.of("invalid") >= 411);
    assert!(tally.of("valid with other parameters, refused") >= 755);
}

#[test]
fn signatures_of_a_ledger_are_judged_as_they_should_be() {
    let mut tally = Tally::default();
    let set = eddsa::TestSet::load(eddsa::TestName::Ed25519).unwrap();
    for group in set.test_groups {
        let key: [u8; 32] = group.key.pk.to_vec().try_into().unwrap();
        for test in group.tests {
            let expected = test.result == TestResult::Valid;
            if let Ok(text) = std::str::from_utf8(&test.msg) {
                assert_eq!(verify_with_ledger_key(&key, text, &test.sig), expected, "{}", test.comment);
                tally.add(1, if expected { "valid" } else { "invalid" });
            }
            let [key, message, signature] =
                [&key[..], &test.msg, &test.sig].map(|bytes| HEXLOWER.encode(bytes));
            writeln!(tally.for_bundles, "{key} {message} {signature} {expected}").unwrap();
        }
    }
    tally.print("Ed25519");
    tally.check_bundles(&[("python3", "-Bc", PYTHON_ED25519)]);
    assert!(tally.of("valid") >= 22 && tally.of("invalid") >= 62 && tally.for_bundles.lines().count() >= 100);
}
