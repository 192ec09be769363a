//! What is left after a signature: nothing of the key, neither in freed memory nor in the stack nor in registers.
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
use signwave_lanes::{Components, LANES, PrivateKey};

/// The secret words to look for.
static SECRETS: OnceLock<HashSet<u64>> = OnceLock::new();
/// Whether freed memory is looked at.
static LOOKS: AtomicBool = AtomicBool::new(false);
/// How many secret words freed memory had.
static FOUND: AtomicUsize = AtomicUsize::new(0);
/// How many words of freed memory were not 0.
static NONZERO: AtomicUsize = AtomicUsize::new(0);
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
            let words =
                || (0..layout.size() / 8).map(|i| unsafe { memory.cast::<u64>().add(i).read_unaligned() });
            FOUND.fetch_add(words().filter(|word| is_secret(*word)).count(), SeqCst);
            NONZERO.fetch_add(words().filter(|word| *word != 0).count(), SeqCst);
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

/// How many of the 128 words in the upper sixteen vector registers are not 0. Only code for AVX-512 uses these registers.
#[inline(always)]
fn nonzero_words_in_registers() -> usize {
    let mut words = [0_u64; 128];
    // SAFETY: the block writes the sixteen registers to the array, which has room for them. The processor has AVX-512.
    unsafe {
        std::arch::asm!(
            "vmovdqu64 [{0}], zmm16", "vmovdqu64 [{0} + 64], zmm17", "vmovdqu64 [{0} + 128], zmm18",
            "vmovdqu64 [{0} + 192], zmm19", "vmovdqu64 [{0} + 256], zmm20", "vmovdqu64 [{0} + 320], zmm21",
            "vmovdqu64 [{0} + 384], zmm22", "vmovdqu64 [{0} + 448], zmm23", "vmovdqu64 [{0} + 512], zmm24",
            "vmovdqu64 [{0} + 576], zmm25", "vmovdqu64 [{0} + 640], zmm26", "vmovdqu64 [{0} + 704], zmm27",
            "vmovdqu64 [{0} + 768], zmm28", "vmovdqu64 [{0} + 832], zmm29", "vmovdqu64 [{0} + 896], zmm30",
            "vmovdqu64 [{0} + 960], zmm31",
            in(reg) words.as_mut_ptr(), options(nostack, preserves_flags)
        );
    }
    words.iter().filter(|word| **word != 0).count()
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

/// What was computed from secrets is not in the list of secrets: tables, columns, constants of the primes. Therefore every word
/// of freed memory must be 0, but for a copy of the modulus, the public exponent, and the pointers and lengths of five lists.
fn assert_nothing_is_left_of(nonzero: usize, components: &Components<'_>) {
    let public_words = components.n.len() / 8 + 13;
    assert!(nonzero <= public_words, "{nonzero} words were not wiped, of which {public_words} are public");
}

#[test]
fn nothing_of_a_key_is_left_in_freed_memory_or_in_the_stack_or_in_registers() {
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
    let in_registers = nonzero_words_in_registers();
    let after_opening = secrets_in_the_stack();
    sign(&opened, &messages, &mut signatures);
    let in_registers = in_registers + nonzero_words_in_registers();
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
    assert_eq!(in_registers, 0, "words in registers after opening and after signing");
    assert_nothing_is_left_of(NONZERO.load(SeqCst), &components);

    // Numbers of thirty digits are multiplied in other memory.
    let key = TestKey::generate(3072, &mut random);
    let (len, before) = (key.components().n.len(), NONZERO.load(SeqCst));
    let messages: Vec<u8> = messages.chunks(512).flat_map(|message| &message[..len]).copied().collect();
    LOOKS.store(true, SeqCst);
    let opened = PrivateKey::new(&key.components()).unwrap();
    sign(&opened, &messages, &mut signatures[..LANES * len]);
    drop(opened);
    LOOKS.store(false, SeqCst);
    assert_nothing_is_left_of(NONZERO.load(SeqCst) - before, &key.components());

    // The test finds what it looks for.
    let secret = words(p)[0];
    fill_the_stack(secret);
    assert!(secrets_in_the_stack() > 1000);
    LOOKS.store(true, SeqCst);
    drop(std::hint::black_box(vec![secret; 10]));
    LOOKS.store(false, SeqCst);
    assert_eq!(FOUND.load(SeqCst), 10);
}
