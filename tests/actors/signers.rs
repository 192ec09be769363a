//! Signers that do what a test says, and notice when a key is used twice at once.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, VecDeque},
    sync::{
        Arc, Mutex, OnceLock,
        atomic::{AtomicBool, Ordering::SeqCst},
        mpsc,
    },
};

use signwave::{
    domain::{Digest, Fingerprint, KeyMaterial, Reach, Scheme, SignatureBuf, StoredKey},
    signer::{self, OpenSigner, PublicKey, Signer, SignerError},
};

/// What a key does with its next batch instead of signing it.
pub enum Act {
    Panic,
    Fail,
    /// Makes no signature at all, and says that all is well.
    Forget,
    /// Says that it has begun, and waits until it may go on.
    Wait {
        begun: mpsc::Sender<()>,
        go_on: mpsc::Receiver<()>,
    },
}

#[derive(Default)]
pub struct Signers {
    acts: Mutex<HashMap<Fingerprint, VecDeque<Act>>>,
    in_use: Mutex<HashMap<Fingerprint, Arc<AtomicBool>>>,
    /// Each operation, as the key and what it signed.
    pub signed: Mutex<Vec<(Fingerprint, Vec<u8>)>>,
    pub opened: Mutex<Vec<Fingerprint>>,
    /// The custodians that sign elsewhere, with how many batches each signs at a time.
    pub sessions: Mutex<BTreeMap<String, usize>>,
    /// The names of the threads on which each key was used.
    pub threads: Mutex<BTreeMap<Fingerprint, BTreeSet<String>>>,
    /// How many digests came at a time.
    pub groups: Mutex<Vec<usize>>,
}

/// What the actors get. (`Arc<Signers>` is foreign to this crate, and so is `OpenSigner`.)
pub struct Opener(pub Arc<Signers>);

struct ScriptedSigner {
    fingerprint: Fingerprint,
    public_key: PublicKey,
    in_use: Arc<AtomicBool>,
    signers: Arc<Signers>,
}

impl Signers {
    /// `fingerprint` does this once, before it signs properly again.
    pub fn next(&self, fingerprint: Fingerprint, act: Act) {
        self.acts.lock().unwrap().entry(fingerprint).or_default().push_back(act);
    }

    /// The next batch of `fingerprint` waits: the receiver hears that it has begun, the sender lets
    /// it go on.
    pub fn hold(&self, fingerprint: Fingerprint) -> (mpsc::Receiver<()>, mpsc::Sender<()>) {
        let ((begun, on_begun), (on_go, go_on)) = (mpsc::channel(), mpsc::channel());
        self.next(fingerprint, Act::Wait { begun, go_on });
        (on_begun, on_go)
    }

    fn note_thread(&self, fingerprint: Fingerprint) {
        let name = std::thread::current().name().unwrap_or_default().to_owned();
        self.threads.lock().unwrap().entry(fingerprint).or_default().insert(name);
    }

    pub fn operations(&self) -> usize {
        self.signed.lock().unwrap().len()
    }
}

impl OpenSigner for Opener {
    fn open(&self, key: &StoredKey) -> Result<Box<dyn Signer>, SignerError> {
        let fingerprint = &key.fingerprint;
        static PUBLIC_KEY: OnceLock<PublicKey> = OnceLock::new();
        let public_key = PUBLIC_KEY.get_or_init(|| signer::generate(2048).unwrap().public_key().clone());
        self.0.opened.lock().unwrap().push(*fingerprint);
        let in_use = Arc::clone(self.0.in_use.lock().unwrap().entry(*fingerprint).or_default());
        Ok(Box::new(ScriptedSigner {
            fingerprint: *fingerprint,
            public_key: public_key.clone(),
            in_use,
            signers: Arc::clone(&self.0),
        }))
    }

    fn reach(&self) -> Reach {
        let sessions = self.0.sessions.lock().unwrap();
        Reach::of([KeyMaterial::DATABASE.to_owned()].into_iter().chain(sessions.keys().cloned()))
    }

    fn sessions(&self) -> BTreeMap<String, usize> {
        self.0.sessions.lock().unwrap().clone()
    }
}

impl Signer for ScriptedSigner {
    fn public_key(&self) -> &PublicKey {
        &self.public_key
    }

    fn checks_itself(&self) -> bool {
        true
    }

    fn sign(&mut self, _: Scheme, digests: &[Digest], out: &mut SignatureBuf) -> Result<(), SignerError> {
        assert!(!self.in_use.swap(true, SeqCst), "key {} is used twice at once", self.fingerprint);
        self.signers.groups.lock().unwrap().push(digests.len());
        self.signers.note_thread(self.fingerprint);
        let act = self.signers.acts.lock().unwrap().get_mut(&self.fingerprint).and_then(VecDeque::pop_front);
        let result = match act {
            Some(Act::Panic) => {
                self.in_use.store(false, SeqCst);
                panic!("as the test wants")
            }
            Some(Act::Fail) => Err(SignerError::Generate),
            Some(Act::Forget) => Ok(()),
            Some(Act::Wait { begun, go_on }) => {
                // A test that waits for neither any more lets everything go on.
                let _ = begun.send(());
                let _ = go_on.recv();
                self.make(digests, out)
            }
            None => self.make(digests, out),
        };
        self.in_use.store(false, SeqCst);
        result
    }
}

impl ScriptedSigner {
    fn make(&self, digests: &[Digest], out: &mut SignatureBuf) -> Result<(), SignerError> {
        for digest in digests {
            out.push_zeroed().copy_from_slice(&signature(self.fingerprint, digest.as_bytes()));
            self.signers.signed.lock().unwrap().push((self.fingerprint, digest.as_bytes().to_vec()));
        }
        Ok(())
    }
}

/// The signature that the scripted signer of this key makes.
pub fn signature(fingerprint: Fingerprint, digest: &[u8]) -> Vec<u8> {
    let mut signature = vec![0; 256];
    signature[..32].copy_from_slice(&fingerprint.0);
    signature[32..32 + digest.len()].copy_from_slice(digest);
    signature
}
