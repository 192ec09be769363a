//! What is signed in lanes and what is not, and that no wrong result gets out.

use signwave_lanes::{SelfTestFailed, SignError};

use super::{super::*, LanesSigner, group::GroupSigner, is_supported, ready::judge};
use crate::domain::{Digest, Scheme, SignatureBuf};

const KEY: &[u8] = include_bytes!("../../../tests/fixtures/signer/rsa2048.pem");
const KEY3072: &[u8] = include_bytes!("../../../tests/fixtures/signer/rsa3072.pem");
const KEY4096: &[u8] = include_bytes!("../../../tests/fixtures/signer/rsa4096.pem");
/// Of a size that the engine does not have.
const KEY2560: &[u8] = include_bytes!("../../../tests/fixtures/signer/rsa2560.pem");

fn open(pem: &[u8]) -> LanesSigner {
    LanesSigner::new(&import(pem, None).unwrap()).unwrap()
}

fn digests(scheme: Scheme, count: usize) -> Vec<Digest> {
    (0..count).map(|i| digest(scheme.digest(), &i.to_be_bytes())).collect()
}

/// Whether this processor signs in lanes. Says what is tested.
fn here() -> bool {
    let what = if is_supported() { "the eight lanes" } else { "aws-lc in their place: no AVX-512 IFMA" };
    println!("tested: {what}");
    is_supported()
}

#[test]
fn groups_of_five_to_eight_are_signed_in_lanes_and_smaller_ones_by_aws_lc() {
    let lanes_are_here = here();
    for (pem, scheme) in [(KEY, Scheme::Rs256), (KEY3072, Scheme::Ps384), (KEY4096, Scheme::Rs512)] {
        let mut signer = open(pem);
        assert_eq!(signer.group.is_some(), lanes_are_here);
        let verifier = Engine::AwsLc.verifier(signer.public_key()).unwrap();
        let mut sampled = 0;
        for count in 1..=17 {
            let digests = digests(scheme, count);
            let mut out = SignatureBuf::with_capacity(signer.public_key().modulus_len(), count);
            signer.sign(scheme, &digests, &mut out).unwrap();
            assert_eq!(out.len(), count);
            let pairs = digests.iter().zip(out.iter());
            assert!(pairs.into_iter().all(|(digest, made)| verifier.verify(scheme, digest, made)));
            let groups = count / 8 + usize::from(count % 8 > 4);
            if let Some(group) = &signer.group {
                sampled += groups * group.sample();
                assert_eq!(group.next(), sampled % 8, "groups signed in lanes, of {count} digests");
            }
        }
    }
}

#[test]
fn a_key_of_another_size_is_signed_and_verified_by_aws_lc() {
    let mut signer = open(KEY2560);
    assert!(signer.group.is_none());
    let verifier = super::LanesVerifier::new(signer.public_key()).unwrap();
    assert!(!verifier.has_lanes());
    let digests = digests(Scheme::Ps256, 8);
    let mut out = SignatureBuf::with_capacity(320, 8);
    signer.sign(Scheme::Ps256, &digests, &mut out).unwrap();
    let signed: Vec<_> = digests.into_iter().zip(out.iter()).collect();
    assert_eq!(verifier.verify_all(Scheme::Ps256, &signed), [true; 8]);
    let fits = super::LanesVerifier::new(open(KEY).public_key()).unwrap();
    assert_eq!(fits.has_lanes(), here());
}

/// A result that is spoilt after the engine's check, in the memory between it and the caller.
fn with_a_flipped_bit(group: &mut GroupSigner, count: usize, lane: usize) -> Result<usize, SignerError> {
    let width = group.modulus_len();
    let sign = |group: &GroupSigner, scheme: Scheme, digests: &[&[u8]; 8], made: &mut [u8]| {
        group.sign_in_lanes(scheme, digests, made)?;
        made[lane * width + width / 2] ^= 4;
        Ok(())
    };
    let digests = digests(Scheme::Ps256, count);
    group.sign_by(Scheme::Ps256, &digests, &sign).map(Iterator::count)
}

#[test]
fn aws_lc_notices_a_wrong_result_of_every_lane_in_its_turn() {
    if !here() {
        assert!(open(KEY).group.is_none(), "nothing is signed in lanes");
        return;
    }
    for pem in [KEY, KEY3072, KEY4096] {
        let mut group = open(pem).group.unwrap();
        for count in [8, 5] {
            for lane in 0..count {
                let fault = (0..8).find_map(|_| with_a_flipped_bit(&mut group, count, lane).err());
                assert!(matches!(fault, Some(SignerError::Fault(_))), "lane {lane} of {count}");
            }
        }
        // What the idle lanes make is thrown away, so that an error in them is none.
        assert!((0..8).all(|_| with_a_flipped_bit(&mut group, 5, 7) == Ok(5)));
    }
}

#[test]
fn a_fault_that_the_engine_finds_is_an_error_and_not_a_reason_to_ask_aws_lc() {
    let mut signer = open(KEY);
    let Some(mut group) = signer.group.take() else {
        assert!(!here());
        return;
    };
    let fingerprint = signer.public_key().fingerprint();
    let digests = digests(Scheme::Rs256, 8);
    for (error, expected) in [
        (SignError::Fault, SignerError::Fault(fingerprint)),
        (SignError::Random(signwave_lanes::RandomFailed), SignerError::Sign(fingerprint)),
    ] {
        let failed = group.sign_by(Scheme::Rs256, &digests, &|_, _, _, _| Err(error)).err();
        assert_eq!(failed, Some(expected));
    }
    assert!(SignerError::Fault(fingerprint).to_string().contains("was wrong and was discarded"));
    // The next group is signed as if nothing had happened.
    assert_eq!(group.sign(Scheme::Rs256, &digests).map(Iterator::count), Ok(8));
}

#[test]
fn a_wrong_answer_of_the_self_test_is_an_error_and_a_missing_instruction_is_none() {
    let failed = judge(true, || Err(SelfTestFailed { bits: 3072 }));
    assert_eq!(failed, Err(SignerError::SelfTest { bits: 3072 }));
    assert_eq!(judge(true, || Ok(())), Ok(true));
    assert_eq!(judge(false, || unreachable!("nothing is computed")), Ok(false));
    assert_eq!(Engine::Lanes.prepare(), Ok(()));
    assert_eq!(Engine::Lanes.is_supported(), here());
}
