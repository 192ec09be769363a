//! Memory that starts as zeros, and becomes zeros again: memory, the stack below, and the registers.

use std::{
    alloc::{Layout, alloc_zeroed, handle_alloc_error},
    arch::asm,
};

use super::{Cpu, vector::Lanes};

/// Types of which all zeros is a value.
///
/// # Safety
/// All zeros must be a valid value, and the type must not be empty.
pub(super) unsafe trait Zeroed {}

/// A new value of zeros, which is never on the stack.
pub(super) fn zeroed<T: Zeroed>() -> Box<T> {
    let layout = Layout::new::<T>();
    // SAFETY: the layout is that of the type, which is not empty; all zeros is a value of the type.
    unsafe {
        let memory = alloc_zeroed(layout).cast::<T>();
        if memory.is_null() {
            handle_alloc_error(layout);
        }
        Box::from_raw(memory)
    }
}

/// Sets memory to 0.
pub(super) fn wipe(memory: &mut [Lanes]) {
    memory.fill(Lanes::ZERO);
    let begin = memory.as_ptr();
    // SAFETY: the block has no instruction. The compiler has to assume that it reads the memory, so the zeros are written.
    unsafe { asm!("/* {0} */", in(reg) begin, options(nostack, preserves_flags, readonly)) };
}

/// Overwrites `VECTORS` vectors of stack below this call, with what kernels left in them (spilled registers), and the registers.
///
/// This is best effort: Rust gives no promise about where a compiler leaves copies. A test looks how far the copies reach.
#[inline(never)]
pub(super) fn wipe_stack<const VECTORS: usize>(_cpu: Cpu) {
    let mut below = [Lanes::ZERO; VECTORS];
    wipe(&mut below);
    // SAFETY: only registers are written, all of which are declared, and `Cpu` says that they exist.
    unsafe {
        asm!("vzeroall",
            "vpxorq zmm16, zmm16, zmm16", "vpxorq zmm17, zmm17, zmm17", "vpxorq zmm18, zmm18, zmm18",
            "vpxorq zmm19, zmm19, zmm19", "vpxorq zmm20, zmm20, zmm20", "vpxorq zmm21, zmm21, zmm21",
            "vpxorq zmm22, zmm22, zmm22", "vpxorq zmm23, zmm23, zmm23", "vpxorq zmm24, zmm24, zmm24",
            "vpxorq zmm25, zmm25, zmm25", "vpxorq zmm26, zmm26, zmm26", "vpxorq zmm27, zmm27, zmm27",
            "vpxorq zmm28, zmm28, zmm28", "vpxorq zmm29, zmm29, zmm29", "vpxorq zmm30, zmm30, zmm30",
            "vpxorq zmm31, zmm31, zmm31",
            out("xmm0") _, out("xmm1") _, out("xmm2") _, out("xmm3") _, out("xmm4") _, out("xmm5") _,
            out("xmm6") _, out("xmm7") _, out("xmm8") _, out("xmm9") _, out("xmm10") _, out("xmm11") _,
            out("xmm12") _, out("xmm13") _, out("xmm14") _, out("xmm15") _, out("xmm16") _, out("xmm17") _,
            out("xmm18") _, out("xmm19") _, out("xmm20") _, out("xmm21") _, out("xmm22") _, out("xmm23") _,
            out("xmm24") _, out("xmm25") _, out("xmm26") _, out("xmm27") _, out("xmm28") _, out("xmm29") _,
            out("xmm30") _, out("xmm31") _,
            options(nomem, nostack, preserves_flags));
    }
}
