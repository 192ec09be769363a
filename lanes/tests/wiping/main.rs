//! What is left in memory after a signature: nothing of the key, neither in freed memory nor in the stack.
#![cfg(target_arch = "x86_64")]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[expect(dead_code, reason = "other test programs use the rest")]
#[path = "../common/mod.rs"]
mod common;

use std::{
    alloc::{GlobalAlloc, Layout, System},
    collections::HashSet,
    sync::{
        OnceLock,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
};

use common::{keys::TestKey, random::Random};
use num_bigint_dig::BigUint;
use signwave_lanes::{LANES, PrivateKey};

/// The secret words to look for.
static SECRETS: OnceLock<HashSet<u64>> = OnceLock::new();
/// Whether freed memory is looked at.
static LOOKS: AtomicBool = AtomicBool::new(false);
/// How many secret words freed memory had.
static FOUND: AtomicUsize = AtomicUsize::new(0);
/// How many bytes were freed.
static FREED: AtomicUsize = AtomicUsize::new(0);

/// The system's allocator, which looks at what is given back.
struct Looking;

// SAFETY: everything is the system allocator's.
unsafe impl GlobalAlloc for Looking {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        if LOOKS.load(SeqCst) {
            // SAFETY: the block is still allocated. It may have bytes that were never written; reading them is what this test is for.
            let found = (0..layout.size() / 8)
                .filter(|i| is_secret(unsafe { memory.cast::<u64>().add(*i).read_unaligned() }));
            FOUND.fetch_add(found.count(), SeqCst);
            FREED.fetch_add(layout.size(), SeqCst);
        }
        // SAFETY: the caller's promises are passed on.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Looking = Looking;

fn is_secret(word: u64) -> bool {
    SECRETS.get().is_some_and(|secrets| secrets.contains(&word))
}

/// The words of a number in every form in which the engine has it: digits of 52 bits, words of 64 bits, and big-endian bytes.
fn words(number: &BigUint) -> Vec<u64> {
    let bytes = number.to_bytes_be();
    let mask = BigUint::from((1_u64 << 52) - 1);
    let digit = |i: usize| {
        let digit = (number >> (52 * i)) & &mask;
        digit.to_bytes_be().iter().fold(0_u64, |value, byte| value << 8 | u64::from(*byte))
    };
    let word = |bytes: &[u8; 8]| [u64::from_be_bytes(*bytes), u64::from_le_bytes(*bytes)];
    let halves = bytes.as_chunks().0.iter().chain(bytes.as_rchunks().1).flat_map(word);
    (0..number.bits().div_ceil(52)).map(digit).chain(halves).collect()
}

/// How many secret words the stack has below this function's frame.
#[inline(never)]
fn secrets_in_the_stack() -> usize {
    let top: *const u64;
    // SAFETY: the block copies a register. The compiler knows nothing about the pointer, so it cannot reason about what is read.
    unsafe { std::arch::asm!("mov {0}, rsp", out(reg) top, options(nomem, nostack, preserves_flags)) };
    // From some room for this function's callees to far below.
    (512..32 * 1024)
        // SAFETY: the thread's stack is larger by far. Whatever is there is read as numbers.
        .filter(|i| is_secret(unsafe { top.sub(*i).read_volatile() }))
        .count()
}

/// Signs, at some depth of the stack.
#[inline(never)]
fn sign(key: &PrivateKey, messages: &[u8], signatures: &mut [u8]) {
    key.exponentiate(messages, signatures).unwrap();
}

/// Fills the stack below the caller with a word.
#[inline(never)]
fn fill_the_stack(word: u64) {
    std::hint::black_box(&[word; 32 * 1024]);
}

#[test]
fn nothing_of_a_key_is_left_in_freed_memory_or_in_the_stack() {
    let mut random = Random::new();
    let key = TestKey::generate(4096, &mut random);
    let components = key.components();
    let mut messages = vec![0; LANES * components.n.len()];
    random.fill(&mut messages);
    messages.chunks_mut(components.n.len()).for_each(|message| message[0] = 0);
    let mut signatures = vec![0; messages.len()];
    let (p, q) = (&key.numbers.p, &key.numbers.q);
    sign(&PrivateKey::new(&components).unwrap(), &messages, &mut signatures);
    // The halves of the signatures: each reveals a prime, together with its signature.
    let results = signatures.chunks(components.n.len()).map(BigUint::from_bytes_be);
    let halves = results.flat_map(|result| [&result % p, &result % q]);
    let numbers = [components.p, components.q, components.dp, components.dq, components.qinv];
    let secrets: HashSet<u64> = numbers
        .map(BigUint::from_bytes_be)
        .into_iter()
        .chain(halves)
        .flat_map(|number| words(&number))
        .collect();
    SECRETS.set(secrets.into_iter().filter(|word| *word > 1 << 32).collect()).unwrap();

    // What made the key and the numbers left them there.
    fill_the_stack(0);
    LOOKS.store(true, SeqCst);
    let opened = PrivateKey::new(&components).unwrap();
    let after_opening = secrets_in_the_stack();
    sign(&opened, &messages, &mut signatures);
    let after_signing = secrets_in_the_stack();
    drop(opened);
    LOOKS.store(false, SeqCst);
    assert!(FREED.load(SeqCst) > 100_000, "the work space is freed");
    assert_eq!(FOUND.load(SeqCst), 0, "secrets in freed memory");
    assert_eq!(
        (after_opening, after_signing),
        (0, 0),
        "secrets in the stack after opening and after signing"
    );

    // The test finds what it looks for.
    let secret = words(p)[0];
    fill_the_stack(secret);
    assert!(secrets_in_the_stack() > 1000);
    LOOKS.store(true, SeqCst);
    drop(std::hint::black_box(vec![secret; 10]));
    LOOKS.store(false, SeqCst);
    assert_eq!(FOUND.load(SeqCst), 10);
}
