//! A private key is wiped from memory when its signer is dropped.

use std::{
    fs::{self, File},
    io::{Read, Seek, SeekFrom},
    path::Path,
    process::Command,
};

use data_encoding::BASE64;
use rsa::{RsaPrivateKey, pkcs8::DecodePrivateKey, traits::PrivateKeyParts};
use signwave::{
    domain::{DigestAlgorithm, KeyId, KeyMaterial, Scheme, SignatureBuf, StoredKey},
    signer::{Engine, Keyring, LANES, MasterKey, OpenSigner, digest, import, seal},
};
use zeroize::Zeroizing;

const MASTER: [u8; 32] = [0x3C; 32];

/// What is looked for is kept in disguise, so that looking for it does not put it into memory.
const DISGUISE: u8 = 0x55;

const PIECE: usize = 24;

#[test]
fn a_signer_that_was_dropped_leaves_nothing_of_its_key_in_memory() {
    // In a process that has never seen the key but sealed.
    let folder = tempfile::tempdir().unwrap();
    let pem = include_str!("../fixtures/signer/other2048.pem");
    let (key, master) =
        (import(pem.as_bytes(), None).unwrap(), MasterKey::from_base64(&BASE64.encode(&MASTER)).unwrap());
    let numbers = RsaPrivateKey::from_pkcs8_pem(pem).unwrap();
    let mut pieces = Vec::new();
    for number in [numbers.d(), &numbers.primes()[0], &numbers.primes()[1]] {
        // As in a file, and as in the words of a number.
        for bytes in [number.to_bytes_be(), number.to_bytes_le()] {
            pieces.extend(bytes.chunks_exact(PIECE).flatten().map(|byte| byte ^ DISGUISE));
        }
    }
    fs::write(folder.path().join("pieces"), pieces).unwrap();
    fs::write(folder.path().join("public"), key.public_key().spki()).unwrap();
    fs::write(folder.path().join("sealed"), seal(&master, &key).unwrap()).unwrap();
    for engine in [Engine::AwsLc, Engine::Lanes] {
        let mut again = Command::new(std::env::current_exe().unwrap());
        again.args(["--exact", "memory::open_sign_and_drop", "--ignored", "--nocapture"]);
        again.env("SIGNWAVE_TEST_FOLDER", folder.path()).env("SIGNWAVE_TEST_ENGINE", engine.name());
        let output = again.output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && said.contains("1 passed"), "{said}");
        println!("{}", said.lines().find(|line| line.contains("measured")).unwrap());
    }
}

#[test]
#[ignore = "run by a_signer_that_was_dropped_leaves_nothing_of_its_key_in_memory"]
fn open_sign_and_drop() {
    let folder = std::env::var_os("SIGNWAVE_TEST_FOLDER").unwrap();
    let read = |name: &str| fs::read(Path::new(&folder).join(name)).unwrap();
    let (public_key, mut eyes) = (read("public"), Eyes::new(read("pieces")));
    let fingerprint = signwave::signer::PublicKey::from_spki(&public_key).unwrap().fingerprint();
    let key =
        StoredKey { id: KeyId(1), fingerprint, public_key, material: KeyMaterial::Sealed(read("sealed")) };
    let engine: Engine = std::env::var("SIGNWAVE_TEST_ENGINE").unwrap().parse().unwrap();
    engine.prepare().unwrap();
    let keyring = Keyring::new(engine, MasterKey::from_base64(&BASE64.encode(&MASTER)).unwrap());
    let digest = digest(DigestAlgorithm::Sha256, b"payload");
    let mut signatures = SignatureBuf::with_capacity(256, LANES);
    assert_eq!(eyes.found(), 0, "not opened yet");

    let mut signer = keyring.open(&key).unwrap();
    let open = eyes.found();
    signer.sign(Scheme::Ps256, &[digest; LANES], &mut signatures).unwrap();
    let signed = eyes.found();
    drop(signer);
    let left = eyes.found();
    println!(
        "measured: {engine}, {open} pieces of {} when opened, {signed} when it has signed, {left} when dropped",
        eyes.hits.len()
    );
    // As the words of aws-lc's numbers, once; and not as what it was read from. The lanes have digits of 52 bits.
    let once = eyes.hits.len() / 2;
    assert_eq!((open, signed, left), (once, once, 0), "pieces of the key in memory");
}

/// Reads this process' memory. It allocates nothing while it looks: that would write over what was freed.
struct Eyes {
    pieces: Vec<u8>,
    begins: Vec<bool>,
    hits: Vec<bool>,
    maps: String,
    window: Zeroizing<Vec<u8>>,
}

impl Eyes {
    fn new(pieces: Vec<u8>) -> Self {
        let mut begins = vec![false; 1 << 16];
        pieces.chunks_exact(PIECE).for_each(|piece| begins[two(piece)] = true);
        let hits = vec![false; pieces.len() / PIECE];
        Self {
            pieces,
            begins,
            hits,
            maps: String::with_capacity(1 << 17),
            window: Zeroizing::new(vec![0; 1 << 20]),
        }
    }

    /// How many of the pieces are in memory.
    fn found(&mut self) -> usize {
        self.hits.fill(false);
        self.maps.clear();
        File::open("/proc/self/maps").unwrap().read_to_string(&mut self.maps).unwrap();
        let mut memory = File::open("/proc/self/mem").unwrap();
        for line in self.maps.lines() {
            let (range, rest) = line.split_once(' ').unwrap();
            let (start, end) = range.split_once('-').unwrap();
            let [start, end] = [start, end].map(|address| u64::from_str_radix(address, 16).unwrap());
            if !rest.starts_with("rw") || rest.contains("[vv") {
                continue;
            }
            // Windows overlap, so that no piece lies across the edge of one.
            for at in (start..end).step_by(self.window.len() - PIECE) {
                let length = self.window.len().min((end - at) as usize).max(PIECE);
                let window = &mut self.window[..length];
                memory.seek(SeekFrom::Start(at)).unwrap();
                if memory.read_exact(window).is_err() {
                    continue;
                }
                let is_begin = |at: &usize| self.begins[two(&window[*at..]) ^ two(&[DISGUISE; 2])];
                for at in (0..=length - PIECE).filter(is_begin) {
                    for (hit, piece) in self.hits.iter_mut().zip(self.pieces.chunks_exact(PIECE)) {
                        let shown = piece.iter().map(|byte| byte ^ DISGUISE);
                        *hit |= shown.eq(window[at..at + PIECE].iter().copied());
                    }
                }
            }
        }
        self.window.fill(0);
        self.hits.iter().filter(|hit| **hit).count()
    }
}

fn two(bytes: &[u8]) -> usize {
    usize::from(bytes[0]) << 8 | usize::from(bytes[1])
}
