//! Every parser of bytes from outside, on the kept corpora and on seeded mutations of them. The same
//! targets are fuzzed at length, guided by coverage: `scripts/fuzz`.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod mutation;
mod targets;

use std::{
    fs,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    path::{Path, PathBuf},
    time::Instant,
};

use mutation::mutate;
use support::random::{Random, count};
use targets::TARGETS;

/// The kept inputs of a target; those of all targets together must stay small.
fn corpus(target: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = entries.collect();
    files.sort();
    files.into_iter().map(|path| (path.clone(), fs::read(path).unwrap())).collect()
}

/// Runs the kept inputs, then `usual` mutations of them, or as many as `TEST_MUTATIONS` says.
fn fuzz(name: &str, usual: usize) {
    let target = TARGETS.iter().find(|target| target.name == name).unwrap();
    let begun = Instant::now();
    let kept = corpus(name);
    for (path, input) in &kept {
        println!("{}", path.display());
        (target.run)(input);
    }
    let inputs: Vec<_> = kept.into_iter().map(|(_, input)| input).collect();
    let (mutations, mut random) = (count("TEST_MUTATIONS", usual), Random::new());
    for _ in 0..mutations {
        let input = mutate(&inputs, &mut random);
        catch_unwind(AssertUnwindSafe(|| (target.run)(&input))).unwrap_or_else(|panic| {
            let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("fuzz-{name}"));
            fs::write(&path, &input).unwrap();
            println!("the input: {}", path.display());
            resume_unwind(panic);
        });
    }
    let seconds = begun.elapsed().as_secs_f64();
    println!("measured: {mutations} mutations of {} kept inputs in {seconds:.1} s", inputs.len());
}

macro_rules! tests {
    ($($name:ident: $usual:literal),* $(,)?) => {
        $(#[test]
        fn $name() {
            fuzz(stringify!($name), $usual);
        })*

        #[test]
        fn every_target_is_tested_and_has_a_corpus() {
            let tested = [$(stringify!($name)),*];
            assert_eq!(TARGETS.iter().map(|target| target.name).collect::<Vec<_>>(), tested);
            let kept: Vec<_> = tested.into_iter().map(corpus).collect();
            assert!(kept.iter().all(|inputs| !inputs.is_empty()));
            let size: usize = kept.iter().flatten().map(|(_, input)| input.len()).sum();
            assert!(size <= 200_000, "the corpora have {size} bytes: scripts/fuzz --keep makes them small");
        }
    };
}

// So many that each takes a second or two.
tests! {
    private_key: 2000,
    public_key: 2000,
    sealed_key: 2000,
    master_key: 10_000,
    import_csv: 2000,
    import_jsonl: 2000,
    import_lines: 2000,
    prefer: 10_000,
    idempotency_key: 10_000,
    json_lines: 2000,
    config_file: 2000,
    arguments: 200,
    database_url: 10_000,
    record_runs: 10_000,
    names: 10_000,
    queries: 10_000,
    server_errors: 10_000,
    token: 10_000,
    certificate: 10_000,
    certificate_chain: 10_000,
    token_location: 10_000,
    token_answers: 10_000,
    lanes_kernels: 2000,
    lanes_keys: 200,
    bundle: 1000,
    webhook_address: 10_000,
    broker_address: 10_000,
}
