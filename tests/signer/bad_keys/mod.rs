//! A corpus of keys that must not be used, each with the error that it must meet. It is made anew by each
//! run, from `TEST_SEED` where numbers are random; what is refused, and how, does not depend on it.

mod forms;
mod generated;
mod sealed;
mod values;

use std::{collections::HashSet, fs, sync::OnceLock};

use num_bigint_dig::BigUint;
use signwave::signer::{PrivateKey, SignerError, import};
use tempfile::TempDir;

use generated::Primes;
use support::{
    numbers::{Numbers, e},
    process::{command, succeed},
    random::Random,
};

/// A file that is no good key, and what is said about it.
pub struct Case {
    name: String,
    file: Vec<u8>,
    error: SignerError,
}

impl Case {
    fn new(name: impl Into<String>, file: Vec<u8>, error: impl Into<SignerError>) -> Self {
        Self { name: name.into(), file, error: error.into() }
    }
}

/// Every file of the corpus.
fn corpus() -> &'static [Case] {
    static CORPUS: OnceLock<Vec<Case>> = OnceLock::new();
    CORPUS.get_or_init(|| {
        let primes = &mut Primes::new(Random::new());
        let random = [
            values::sizes,
            values::exponents,
            values::moduli,
            values::primes,
            values::small_private_exponent,
            values::roca,
        ];
        let fixed = [
            values::private_parts,
            forms::pkcs1,
            forms::pkcs8,
            forms::encrypted,
            forms::pem_and_others,
            forms::by_openssl,
        ];
        let random: Vec<_> = random.iter().flat_map(|make| make(primes)).collect();
        random.into_iter().chain(fixed.iter().flat_map(|make| make())).collect()
    })
}

#[test]
fn every_bad_key_is_refused_for_what_is_wrong_with_it() {
    let cases = corpus();
    let names: HashSet<_> = cases.iter().map(|case| &case.name).collect();
    assert_eq!(names.len(), cases.len(), "each has a name of its own");
    let outcomes = cases.iter().map(|case| (case, import(&case.file, None).map(drop)));
    let other: Vec<_> = outcomes
        .filter(|(case, outcome)| outcome.as_ref() != Err(&case.error))
        .map(|(case, outcome)| format!("{}: {outcome:?}, not {:?}", case.name, case.error))
        .collect();
    assert!(other.is_empty(), "{other:#?}");
    // No run of characters in an error that could be base64 or hex of a key.
    for text in cases.iter().map(|case| format!("{0} {0:?}", case.error)) {
        let longest = text.split(|c: char| !c.is_ascii_alphanumeric()).map(str::len).max();
        assert!(longest < Some(30), "{text}");
    }
    import(&Numbers::good().encode(), None).unwrap();
    assert!(cases.len() >= 100, "{}", cases.len());
    println!("measured: {} bad keys, all refused for what is wrong with them", cases.len());
}

#[test]
fn no_bad_key_gets_in_by_the_command_line() {
    let cases = corpus();
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("good"), Numbers::good().encode()).unwrap();
    succeed(command(&["migrate"], folder.path()));
    for Case { name, file, error } in cases {
        fs::write(folder.path().join("bad"), file).unwrap();
        let output = command(&["keys", "import", "bad"], folder.path()).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{name}: {said}");
        assert!(
            said.ends_with(&format!("signwave: 'bad' was not imported: {}\n", error.about("bad".as_ref()))),
            "{name}: {said}"
        );
        assert!(output.stdout.is_empty(), "{name}");
    }
    assert_eq!(keys(&folder), "[]");
    succeed(command(&["keys", "import", "good"], folder.path()));
    assert_ne!(keys(&folder), "[]", "a good one is taken");
}

fn keys(folder: &TempDir) -> String {
    let output = succeed(command(&["keys", "list", "--json"], folder.path()));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[test]
fn keys_that_share_a_prime_never_meet_in_one_database() {
    let mut primes = Primes::new(Random::new());
    let [a, b, c, d] = [0; 4].map(|_| primes.prime(1024));
    let pairs = [
        ("the first of both", (&a, &b), (&a, &c)),
        ("the second of both", (&b, &a), (&c, &a)),
        ("the first and the second", (&a, &b), (&c, &a)),
        ("the second and the first", (&b, &a), (&a, &c)),
    ];
    let key = |(p, q): (&BigUint, &BigUint)| Numbers::of(p.clone(), q.clone(), e()).encode();
    let read = |file: &[u8]| -> PrivateKey { import(file, None).unwrap() };
    for (which, one, other) in pairs {
        let (one, other) = (key(one), key(other));
        assert!(read(&one).shares_prime_with(read(&other).public_key()), "{which}");
        assert!(read(&other).shares_prime_with(read(&one).public_key()), "{which}");

        let folder = TempDir::new().unwrap();
        succeed(command(&["migrate"], folder.path()));
        fs::write(folder.path().join("one"), one).unwrap();
        fs::write(folder.path().join("other"), other).unwrap();
        let refused = |files: &[&str], with: &str| {
            let mut import = command(&[&["keys", "import"], files].concat(), folder.path());
            let said = String::from_utf8(import.output().unwrap().stderr).unwrap();
            let expected = format!("signwave: 'other' was not imported: it shares a prime with {with}, ");
            assert!(said.contains(&expected), "{which}: {said}");
        };
        // In one command, and one after the other.
        refused(&["one", "other"], "'one'");
        assert_eq!(keys(&folder), "[]", "{which}");
        succeed(command(&["keys", "import", "one"], folder.path()));
        refused(&["other"], "key 1");
        // In either order, since what was refused was not kept.
        fs::write(folder.path().join("third"), Numbers::of(c.clone(), d.clone(), e()).encode()).unwrap();
        succeed(command(&["keys", "import", "third"], folder.path()));
    }
    let (one, other) = (read(&key((&a, &b))), read(&key((&c, &d))));
    assert!(one.shares_prime_with(one.public_key()) && !one.shares_prime_with(other.public_key()));
    let stranger = read(include_bytes!("../../fixtures/signer/other2048.pem"));
    assert!(!one.shares_prime_with(stranger.public_key()));
}
