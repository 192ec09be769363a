//! Good signers and faulty ones, and a note of every bad result that they handed over.

use std::{
    collections::{BTreeMap, HashSet},
    sync::{Arc, Mutex},
    thread,
};

use signwave::{
    domain::{Digest, Fingerprint, Scheme, SignatureBuf, StoredKey},
    signer::{Engine, OpenSigner, PrivateKey, PublicKey, Signer, SignerError, generate, import},
};
use support::random::Random;

use crate::faults::{Fault, KNOWN, flip, flipped, half_of_crt, other_padding, sign, truncated};

const GOOD: usize = 3;

/// Real keys: some that sign well, and one for each fault.
pub struct Pool {
    keys: Vec<(PrivateKey, Option<Fault>)>,
    /// In no database; to sign with the wrong key.
    other: PrivateKey,
    longer: PrivateKey,
}

impl Pool {
    /// Good keys, and one for every fault.
    pub fn new() -> Self {
        let faults = Fault::ALL.map(Some).into_iter().chain([None; GOOD]);
        thread::scope(|scope| {
            let making: Vec<_> = faults.map(|fault| scope.spawn(move || (key(fault), fault))).collect();
            let keys = making.into_iter().map(|key| key.join().unwrap()).collect();
            Self { keys, other: generate(2048).unwrap(), longer: generate(3072).unwrap() }
        })
    }

    /// One key.
    pub fn with(fault: Option<Fault>) -> Self {
        let keys = vec![(key(fault), fault)];
        Self { keys, other: generate(2048).unwrap(), longer: generate(3072).unwrap() }
    }

    pub fn public_keys(&self) -> impl Iterator<Item = &PublicKey> {
        self.keys.iter().map(|(key, _)| key.public_key())
    }

    pub fn other(&self) -> &PublicKey {
        self.other.public_key()
    }

    fn find(&self, fingerprint: &Fingerprint) -> &(PrivateKey, Option<Fault>) {
        self.keys.iter().find(|(key, _)| key.public_key().fingerprint() == *fingerprint).unwrap()
    }

    pub fn fault(&self, fingerprint: &Fingerprint) -> Option<Fault> {
        self.find(fingerprint).1
    }
}

fn key(fault: Option<Fault>) -> PrivateKey {
    match fault {
        Some(Fault::HalfOfCrt) => import(KNOWN.as_bytes(), None).unwrap(),
        _ => generate(2048).unwrap(),
    }
}

/// What was handed over for a digest though it is not its signature.
#[derive(Default)]
pub struct BadResults {
    results: Mutex<HashSet<(Vec<u8>, Vec<u8>)>>,
    counts: Mutex<BTreeMap<Fault, u64>>,
}

impl BadResults {
    fn note(&self, fault: Fault, digest: Digest, signature: &[u8]) {
        self.results.lock().unwrap().insert((digest.as_bytes().to_vec(), signature.to_vec()));
        *self.counts.lock().unwrap().entry(fault).or_default() += 1;
    }

    pub fn contains(&self, digest: Digest, signature: &[u8]) -> bool {
        self.results.lock().unwrap().contains(&(digest.as_bytes().to_vec(), signature.to_vec()))
    }

    pub fn count_into(&self, sums: &mut BTreeMap<Fault, u64>) {
        for (fault, count) in self.counts.lock().unwrap().iter() {
            *sums.entry(*fault).or_default() += count;
        }
    }
}

/// What the actors get.
pub struct Opener {
    pool: Arc<Pool>,
    one_in: u64,
    checks_itself: bool,
    random: Mutex<Random>,
    bad: Arc<BadResults>,
}

impl Opener {
    /// Faulty signers spoil one result in `one_in`, and say of themselves what `checks_itself` is.
    pub fn new(
        pool: &Arc<Pool>,
        one_in: u64,
        checks_itself: bool,
        random: Random,
        bad: Arc<BadResults>,
    ) -> Self {
        Self { pool: Arc::clone(pool), one_in, checks_itself, random: Mutex::new(random), bad }
    }
}

impl OpenSigner for Opener {
    fn open(&self, stored: &StoredKey) -> Result<Box<dyn Signer>, SignerError> {
        let (key, fault) = self.pool.find(&stored.fingerprint);
        let signer = Engine::AwsLc.signer(key)?;
        let Some(fault) = *fault else { return Ok(signer) };
        let other = match fault {
            Fault::LongerKey => Engine::AwsLc.signer(&self.pool.longer)?,
            _ => Engine::AwsLc.signer(&self.pool.other)?,
        };
        Ok(Box::new(FaultySigner {
            fault,
            one_in: self.one_in,
            checks_itself: self.checks_itself,
            signer,
            other,
            random: self.random.lock().unwrap().another(),
            bad: Arc::clone(&self.bad),
            before: None,
        }))
    }
}

struct FaultySigner {
    fault: Fault,
    one_in: u64,
    checks_itself: bool,
    /// Of its own key; makes what is right.
    signer: Box<dyn Signer>,
    /// What it confuses itself with.
    other: Box<dyn Signer>,
    random: Random,
    bad: Arc<BadResults>,
    /// The last digest of the call before, if that matters.
    before: Option<Digest>,
}

impl Signer for FaultySigner {
    fn public_key(&self) -> &PublicKey {
        match self.fault {
            Fault::Stranger | Fault::LongerKey => self.other.public_key(),
            _ => self.signer.public_key(),
        }
    }

    fn checks_itself(&self) -> bool {
        self.checks_itself
    }

    fn sign(
        &mut self,
        scheme: Scheme,
        digests: &[Digest],
        out: &mut SignatureBuf,
    ) -> Result<(), SignerError> {
        match self.fault {
            Fault::Shifted => self.shift(scheme, digests, out),
            Fault::ChangedLater => self.change_later(scheme, digests, out),
            _ => {
                for (digest, (signature, is_bad)) in digests.iter().zip(self.results(scheme, digests)) {
                    if is_bad {
                        self.bad.note(self.fault, *digest, &signature);
                    }
                    out.push_zeroed().copy_from_slice(&signature);
                }
            }
        }
        Ok(())
    }
}

impl FaultySigner {
    fn errs(&mut self) -> bool {
        self.random.below(self.one_in) == 0
    }

    /// A signature for each digest, and whether it is a bad one.
    fn results(&mut self, scheme: Scheme, digests: &[Digest]) -> Vec<(Vec<u8>, bool)> {
        // A stranger cannot do anything right.
        if matches!(self.fault, Fault::Stranger | Fault::LongerKey) {
            return sign(&mut *self.other, scheme, digests).into_iter().map(|made| (made, true)).collect();
        }
        let right = sign(&mut *self.signer, scheme, digests);
        let alone = digests.len() == 1;
        (0..digests.len())
            .map(|i| {
                // A record that is alone has no other to be confused with.
                if !self.errs() || alone && self.fault == Fault::AnotherRecord {
                    return (right[i].clone(), false);
                }
                (self.spoil(scheme, digests, &right, i), true)
            })
            .collect()
    }

    fn spoil(&mut self, scheme: Scheme, digests: &[Digest], right: &[Vec<u8>], i: usize) -> Vec<u8> {
        let mut signature = right[i].clone();
        let random = &mut self.random;
        match self.fault {
            Fault::FlippedBit => {
                flip(&mut signature, random);
                signature
            }
            Fault::WrongKey => sign(&mut *self.other, scheme, &digests[i..=i]).remove(0),
            Fault::WrongDigest => sign(&mut *self.signer, scheme, &[flipped(digests[i], random)]).remove(0),
            Fault::Truncated => truncated(&signature, random),
            Fault::Zero => vec![0; signature.len()],
            Fault::Ones => vec![0xff; signature.len()],
            Fault::AnotherRecord => right[(i + 1) % right.len()].clone(),
            Fault::AnotherScheme => sign(&mut *self.signer, other_padding(scheme), &digests[i..=i]).remove(0),
            Fault::HalfOfCrt => half_of_crt(&signature),
            Fault::Stranger | Fault::LongerKey | Fault::Shifted | Fault::ChangedLater => {
                unreachable!("these go wrong elsewhere")
            }
        }
    }

    /// Leaves the last one out; the next call has one more to make up for it, and all between are off by one.
    fn shift(&mut self, scheme: Scheme, digests: &[Digest], out: &mut SignatureBuf) {
        let mut made = sign(&mut *self.signer, scheme, digests);
        if out.is_empty() {
            self.before = None;
        }
        if let Some(before) = self.before.take() {
            for (digest, signature) in [before].iter().chain(digests).zip(&made) {
                self.bad.note(self.fault, *digest, signature);
            }
            made.extend(made.last().cloned());
        } else if self.errs() {
            made.pop();
            self.before = digests.last().copied();
        }
        for signature in made {
            out.push_zeroed().copy_from_slice(&signature);
        }
    }

    /// Changes the last signature of the call before.
    fn change_later(&mut self, scheme: Scheme, digests: &[Digest], out: &mut SignatureBuf) {
        let before = self.before.replace(digests[digests.len() - 1]).filter(|_| !out.is_empty());
        if let Some(before) = before.filter(|_| self.errs()) {
            let mut changed = out.iter().last().unwrap().to_vec();
            flip(&mut changed, &mut self.random);
            self.bad.note(self.fault, before, &changed);
            out.pop();
            out.push_zeroed().copy_from_slice(&changed);
        }
        for signature in sign(&mut *self.signer, scheme, digests) {
            out.push_zeroed().copy_from_slice(&signature);
        }
    }
}
