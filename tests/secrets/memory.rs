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
    domain::{DigestAlgorithm, Scheme, SignatureBuf},
    signer::{Engine, Keyring, MasterKey, OpenSigner, digest, import, seal},
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
    let mut again = Command::new(std::env::current_exe().unwrap());
    again.args(["--exact", "memory::open_sign_and_drop", "--ignored", "--nocapture"]);
    let output = again.env("SIGNWAVE_TEST_FOLDER", folder.path()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
    println!("{}", said.lines().find(|line| line.contains("measured")).unwrap());
}

#[test]
#[ignore = "run by a_signer_that_was_dropped_leaves_nothing_of_its_key_in_memory"]
fn open_sign_and_drop() {
    let folder = std::env::var_os("SIGNWAVE_TEST_FOLDER").unwrap();
    let read = |name: &str| fs::read(Path::new(&folder).join(name)).unwrap();
    let (public, sealed, pieces) = (read("public"), read("sealed"), read("pieces"));
    let fingerprint = signwave::signer::PublicKey::from_spki(&public).unwrap().fingerprint();
    let keyring = Keyring::new(Engine::AwsLc, MasterKey::from_base64(&BASE64.encode(&MASTER)).unwrap());
    assert_eq!(found(&pieces).0, 0, "not opened yet");

    let mut signer = keyring.open(&fingerprint, &public, Some(&sealed)).unwrap();
    let digest = digest(DigestAlgorithm::Sha256, b"payload");
    let mut signatures = SignatureBuf::with_capacity(256, 2);
    signer.sign(Scheme::Ps256, &[digest, digest], &mut signatures).unwrap();
    let open = found(&pieces).0;
    assert!(open >= 10, "while it is open the key is found: {open}");

    drop(signer);
    let (left, searched) = found(&pieces);
    println!("measured: {open} pieces while open, {left} afterwards, in {} KB of memory", searched >> 10);
    assert_eq!(left, 0, "pieces of the key are left in memory");
}

/// How many of the pieces are in this process' memory, and how much of it there is.
fn found(pieces: &[u8]) -> (usize, usize) {
    let pieces: Vec<_> = pieces.chunks_exact(PIECE).collect();
    let mut begins = vec![false; 1 << 16];
    let two = |bytes: &[u8]| usize::from(bytes[0]) << 8 | usize::from(bytes[1]);
    pieces.iter().for_each(|piece| begins[two(piece)] = true);
    let mut memory = File::open("/proc/self/mem").unwrap();
    let (mut hits, mut searched) = (vec![false; pieces.len()], 0);
    for line in fs::read_to_string("/proc/self/maps").unwrap().lines() {
        let (range, rest) = line.split_once(' ').unwrap();
        let (start, end) = range.split_once('-').unwrap();
        let [start, end] = [start, end].map(|address| u64::from_str_radix(address, 16).unwrap());
        if !rest.starts_with("rw") || rest.contains("[vvar") || end - start > 64 << 20 {
            continue;
        }
        let mut region = Zeroizing::new(vec![0; (end - start) as usize]);
        memory.seek(SeekFrom::Start(start)).unwrap();
        if memory.read_exact(&mut region).is_err() {
            continue;
        }
        region.iter_mut().for_each(|byte| *byte ^= DISGUISE);
        searched += region.len();
        for at in (0..region.len() - 1).filter(|at| begins[two(&region[*at..])]) {
            for (hit, piece) in hits.iter_mut().zip(&pieces) {
                *hit |= region[at..].starts_with(piece);
            }
        }
    }
    (hits.into_iter().filter(|hit| *hit).count(), searched)
}
