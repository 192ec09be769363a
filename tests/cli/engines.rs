//! The engine `lanes` on the command line, on a processor that it fits and on others.

use signwave::signer::Engine;
use support::sandbox::{Sandbox, succeeded};

/// Whether this processor has AVX-512 IFMA. Says what is tested.
fn fits() -> bool {
    let fits = Engine::Lanes.is_supported();
    println!(
        "tested: {}",
        if fits { "the lanes engine" } else { "aws-lc in its place, and what is said of it" }
    );
    fits
}

#[test]
fn the_demo_says_what_the_other_engine_brings_where_it_fits() {
    let fits = fits();
    for (signer, other) in [("aws-lc", "lanes  "), ("lanes", "aws-lc ")] {
        let sandbox = Sandbox::new();
        let arguments = ["demo", "--records", "100", "--keys", "2", "--batch-size", "50", "--signer", signer];
        let output = sandbox.run(&arguments);
        let (text, log) = (succeeded(&output), String::from_utf8_lossy(&output.stderr).into_owned());
        assert!(text.contains("verified    100 signatures") && text.contains("problems    none"), "{text}");
        let line = text.lines().find(|line| line.starts_with(other));
        let factor = line.and_then(|line| line.split(" times as fast").next()?.rsplit(' ').next());
        let factor: Option<f64> = factor.and_then(|factor| factor.parse().ok());
        assert_eq!(factor.is_some_and(|factor| factor > 0.0), fits, "{text}");
        let is_told = log.contains("this processor lacks AVX-512 IFMA");
        assert_eq!(is_told, !fits && signer == "lanes", "{log}");
    }
    // No size of the lanes engine: aws-lc signs, and there is nothing to compare.
    let sandbox = Sandbox::new();
    let pem = include_bytes!("../fixtures/signer/rsa2560.pem");
    sandbox.write("key.pem", pem);
    sandbox.ok(&["migrate"]);
    sandbox.ok(&["keys", "import", "key.pem"]);
    sandbox.ok(&["seed", "--records", "20"]);
    let output = sandbox.run(&["sign", "--signer", "lanes"]);
    assert!(succeeded(&output).starts_with("signed 20 records"));
    let log = String::from_utf8_lossy(&output.stderr);
    assert_eq!(log.matches("aws-lc is used for key").count(), usize::from(fits), "{log}");
    sandbox.ok(&["verify", "--verifier", "lanes"]);
}

#[test]
fn status_says_that_the_processor_fits_unless_the_engine_is_set() {
    let sandbox = Sandbox::migrated();
    let hint = "engine   this CPU has AVX-512 IFMA, for '--signer lanes'";
    assert_eq!(sandbox.ok(&["status"]).contains(hint), fits());
    assert!(!sandbox.ok(&["status", "--json"]).contains("AVX-512"));
    sandbox.write("signwave.toml", "[signing]\nsigner = 'lanes'");
    assert!(!sandbox.ok(&["status"]).contains("AVX-512"));
}
