//! Bundles of signed records, which come from anywhere.

use signwave::{
    audit::{Pins, check_bundle},
    domain::ledger::VerifierKey,
    formats::bundle::{read, write},
    signer::Engine,
};

/// The ledger that has signed the checkpoints of the kept bundles, in the file of its corpus that is none.
const LEDGER: &str = include_str!("../../../fuzz/corpus/bundle/ledger.vkey");

/// The kept bundles.
const KEPT: [&str; 3] = [
    include_str!("../../../fuzz/corpus/bundle/ps256.json"),
    include_str!("../../../fuzz/corpus/bundle/rs384.json"),
    include_str!("../../../fuzz/corpus/bundle/ps512.json"),
];

/// A bundle has one text, and is verified only as it was made.
pub fn bundle(bytes: &[u8]) {
    let Some(text) = super::text(bytes) else { return };
    let bundle = match read(text) {
        Ok(bundle) => bundle,
        Err(bad) => return assert!(["form", "entry", "checkpoint"].contains(&bad.check())),
    };
    assert_eq!(write(&bundle).unwrap(), text);
    let ledger: VerifierKey = LEDGER.parse().unwrap();
    let pins = Pins { keys: Vec::new(), ledgers: vec![ledger] };
    if check_bundle(&bundle, None, &pins, Engine::AwsLc).is_ok() {
        let kept = KEPT.map(|kept| read(kept).unwrap()).into_iter().find(|kept| kept.record == bundle.record);
        let mut kept = kept.unwrap();
        // The payload may be left out, and other signatures of the checkpoint do not matter.
        kept.payload = kept.payload.filter(|_| bundle.payload.is_some());
        kept.checkpoint = bundle.checkpoint.clone();
        assert_eq!(kept, bundle);
    }
}
