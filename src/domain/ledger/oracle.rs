//! What others compute: the tests of Certificate Transparency, a tree by the definition, and two crates by Cloudflare.

use std::ops::Range;

use data_encoding::BASE64;
use proptest::{collection::vec, prelude::*, sample::Index};
use signed_note::{Signer, StandardSigner, StandardVerifier, VerifierList};
use tlog_tiles::{HashReader, tlog::Error};

use super::{Checkpoint, Edge, Hash, Head, Note, VerifierKey, leaf_hash, node_hash, paths};

/// The data of leaves, as the tests of the reference implementation have them.
pub const KNOWN_LEAVES: [&[u8]; 8] = [
    b"",
    b"\x00",
    b"\x10",
    b"\x20\x21",
    b"\x30\x31",
    b"\x40\x41\x42\x43",
    b"\x50\x51\x52\x53\x54\x55\x56\x57",
    b"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f",
];

/// The roots over the first 0 to 8 of them.
pub const KNOWN_ROOTS: [&str; 9] = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
];

/// The root by its definition (RFC 6962, section 2.1).
pub fn root(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => Hash::of(&[]),
        [leaf] => *leaf,
        _ => {
            let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
            node_hash(root(left), root(right))
        }
    }
}

/// The hashes of a tree as `tlog_tiles` stores them.
struct Stored(Vec<tlog_tiles::Hash>);

impl Stored {
    fn of(leaves: &[Hash]) -> Self {
        let mut stored = Self(Vec::new());
        for (n, leaf) in leaves.iter().enumerate() {
            let more = tlog_tiles::stored_hashes_for_record_hash(n as u64, theirs(*leaf), &stored).unwrap();
            stored.0.extend(more);
        }
        stored
    }
}

impl HashReader for Stored {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<tlog_tiles::Hash>, Error> {
        Ok(indexes.iter().map(|index| self.0[*index as usize]).collect())
    }
}

fn theirs(hash: Hash) -> tlog_tiles::Hash {
    tlog_tiles::Hash(hash.0)
}

/// The hashes of a path through a tree with these leaves.
fn path(ranges: Option<Vec<Range<u64>>>, leaves: &[Hash]) -> Vec<Hash> {
    let hash =
        |range: Range<u64>| paths::root(leaves[range.start as usize..range.end as usize].iter().copied());
    ranges.unwrap().into_iter().map(hash).collect()
}

/// Something else than a path: shorter, longer, or with another hash.
fn spoiled(path: &[Hash], at: Index, how: u8) -> Vec<Hash> {
    let mut path = path.to_vec();
    match how {
        0 if !path.is_empty() => _ = path.remove(at.index(path.len())),
        1 if !path.is_empty() => {
            let at = at.index(path.len());
            path[at].0[0] ^= 1;
        }
        _ => path.insert(at.index(path.len() + 1), leaf_hash(b"another")),
    }
    path
}

proptest! {
    #[test]
    fn paths_are_those_that_others_compute_and_accept(
        leaves in vec(any::<[u8; 32]>().prop_map(Hash), 1..80), which: Index, begin: Index, at: Index, how in 0..3_u8,
    ) {
        let (size, stored) = (leaves.len() as u64, Stored::of(&leaves));
        let root = root(&leaves);
        prop_assert_eq!(tlog_tiles::tree_hash(size, &stored).unwrap(), theirs(root));

        let index = which.index(leaves.len()) as u64;
        let leaf = leaves[index as usize];
        let included = path(paths::inclusion(index, size), &leaves);
        let same: Vec<_> = included.iter().copied().map(theirs).collect();
        prop_assert_eq!(&tlog_tiles::prove_record(size, index, &stored).unwrap(), &same);
        tlog_tiles::check_record(&same, size, theirs(root), index, theirs(leaf)).unwrap();
        prop_assert!(paths::verify_inclusion(leaf, index, size, &included, root));
        let wrong = spoiled(&included, at, how);
        prop_assert!(!paths::verify_inclusion(leaf, index, size, &wrong, root));
        prop_assert!(!paths::verify_inclusion(leaf_hash(b"another"), index, size, &included, root));
        prop_assert!(!paths::verify_inclusion(leaf, index ^ 1, size, &included, root));

        let old_size = begin.index(leaves.len()) as u64 + 1;
        let old = Head { size: old_size, root: self::root(&leaves[..old_size as usize]) };
        let new = Head { size, root };
        let continued = path(paths::consistency(old_size, size), &leaves);
        let same: Vec<_> = continued.iter().copied().map(theirs).collect();
        prop_assert_eq!(&tlog_tiles::prove_tree(size, old_size, &stored).unwrap(), &same);
        tlog_tiles::check_tree(&same, size, theirs(root), old.size, theirs(old.root)).unwrap();
        prop_assert!(paths::verify_consistency(old, new, &continued));
        let wrong = spoiled(&continued, at, how);
        prop_assert!(!paths::verify_consistency(old, new, &wrong));
        let other = |head| Head { root: leaf_hash(b"another"), ..head };
        prop_assert!(!paths::verify_consistency(other(old), new, &continued));
        prop_assert!(!paths::verify_consistency(old, other(new), &continued));
    }

    #[test]
    fn any_path_is_judged_as_others_judge_it(
        hashes in vec(any::<[u8; 32]>().prop_map(Hash), 0..5), index in 0..20_u64, size in 0..20_u64, old in 1..20_u64,
    ) {
        let (leaf, root) = (leaf_hash(b"leaf"), leaf_hash(b"root"));
        let same: Vec<_> = hashes.iter().copied().map(theirs).collect();
        let record = tlog_tiles::check_record(&same, size, theirs(root), index, theirs(leaf));
        prop_assert_eq!(paths::verify_inclusion(leaf, index, size, &hashes, root), record.is_ok());
        let tree = tlog_tiles::check_tree(&same, size, theirs(root), old, theirs(root));
        prop_assert_eq!(paths::verify_consistency(Head { size: old, root }, Head { size, root }, &hashes), tree.is_ok());
    }
}

#[test]
fn a_path_ends_where_the_tree_ends() {
    assert_eq!(
        (paths::inclusion(0, 0), paths::inclusion(7, 7), paths::consistency(8, 7)),
        (None, None, None)
    );
    assert_eq!((paths::inclusion(0, 1), paths::consistency(7, 7)), (Some(vec![]), Some(vec![])));
    let root = leaf_hash(b"root");
    assert_eq!(paths::consistency(0, 7), Some(vec![]));
    let (begin, new) = (Edge::default().head(), Head { size: 7, root });
    assert!(paths::verify_consistency(begin, new, &[]));
    assert!(!paths::verify_consistency(Head { root, ..begin }, new, &[]));
    assert!(!paths::verify_consistency(begin, new, &[root]));
    assert!(!paths::verify_consistency(Head { size: 8, root }, new, &[]));
    let largest = paths::inclusion(u64::MAX - 1, u64::MAX).unwrap();
    assert_eq!(largest.len(), 63, "each perfect subtree to its left");
    assert!(!paths::verify_inclusion(root, u64::MAX - 1, u64::MAX, &[root; 64], root));
}

/// A key of the documentation of `signed_note`: its private part, and its public part.
const PRIVATE: &str = "AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";
const PUBLIC: &str = "ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";

#[test]
fn a_signed_checkpoint_is_accepted_by_others_and_theirs_is_read_here() {
    let origin = "signwave/0123456789abcdef/1".parse().unwrap();
    let public = BASE64.decode(PUBLIC.as_bytes()).unwrap()[1..].try_into().unwrap();
    let key = VerifierKey { origin, public };
    let checkpoint = Checkpoint { origin, size: 8, root: root(&KNOWN_LEAVES.map(leaf_hash)) };
    let text = checkpoint.to_string();
    let id = data_encoding::HEXLOWER.encode(&key.id());
    let signer = StandardSigner::new(&format!("PRIVATE+KEY+{origin}+{id}+{PRIVATE}")).unwrap();
    let signature = signer.sign(text.as_bytes()).unwrap();

    let note = Note::new(&checkpoint, &key, &signature[..].try_into().unwrap());
    let read = signed_note::Note::from_bytes(note.to_string().as_bytes()).unwrap();
    let known = VerifierList::new(vec![Box::new(StandardVerifier::new(&key.to_string()).unwrap())]);
    let (verified, others) = read.verify(&known).unwrap();
    assert_eq!((verified.len(), others.len()), (1, 0));
    let parsed = tlog_tiles::Checkpoint::from_bytes(read.text()).unwrap();
    assert_eq!((parsed.origin(), parsed.size()), (&*origin.to_string(), 8));
    assert_eq!((*parsed.hash(), parsed.extension()), (theirs(checkpoint.root), ""));

    let mut made = signed_note::Note::new(text.as_bytes(), &[]).unwrap();
    made.add_sigs(&[&signer]).unwrap();
    assert_eq!(String::from_utf8(made.to_bytes()).unwrap(), note.to_string());
    assert_eq!(note.signature_of(&key), Some(&*signature));
}
