//! The machine code that the compiler makes of the engine in a release: a compiler update that spoils a kernel is noticed here.
#![cfg(target_arch = "x86_64")]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::{fs, path::Path, process::Command, sync::LazyLock};

/// The kernels: straight code. How many `vpmadd52` each has, and how many functions of its name there are.
///
/// The rows of a reduction have one more than they need, because the last row computes a quotient digit that nothing uses.
const KERNELS: [(&str, usize, usize); 16] = [
    ("twenty::square20", 330, 1),
    ("twenty::square20_scan", 330, 1),
    ("twenty::multiply20", 600, 1),
    ("twenty::add_product20", 600, 1),
    ("twenty::add_product10", 200, 1),
    // With a look-up, and without. It calls `square_sum10` three times.
    ("thirty::square30_scan", 330, 2),
    ("thirty::square_sum10", 110, 1),
    ("thirty::multiply10", 200, 1),
    ("thirty::multiply_sums10", 200, 1),
    ("thirty::combine", 0, 1),
    ("forty::combine", 0, 1),
    ("forty::combine_square", 0, 1),
    ("reduce::reduce20", 801, 1),
    ("reduce::twenty_rows", 801, 1),
    ("reduce::ten_rows", 401, 1),
    // Of four and of six digits.
    ("scan::look_up", 0, 2),
];

/// The functions that may move data from vectors to where conditions are decided, how often at most, and why.
const VERDICTS: [(&str, usize, &str); 4] = [
    (
        "private::exponentiate_in",
        2,
        "whether the messages are below the modulus, and whether all results are right",
    ),
    ("private::new_in", 1, "whether the modulus is the product of the primes"),
    ("public::raises_to", 1, "whether all results are right"),
    ("public::exponentiate_in", 1, "which signatures are below the modulus"),
];

/// A function of the engine.
struct Function {
    /// Module and name.
    name: String,
    /// Instructions, in AT&T syntax.
    instructions: Vec<String>,
}

impl Function {
    fn count(&self, matches: impl Fn(&str) -> bool) -> usize {
        self.instructions.iter().filter(|instruction| matches(mnemonic(instruction))).count()
    }

    fn conditional_jumps(&self) -> usize {
        self.count(|name| name.starts_with('j') && name != "jmp")
    }
}

fn mnemonic(instruction: &str) -> &str {
    instruction.split_ascii_whitespace().next().unwrap_or_default()
}

/// The functions of the engine in a release build.
static FUNCTIONS: LazyLock<Vec<Function>> = LazyLock::new(|| {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("assembly");
    let build = Command::new(env!("CARGO"))
        .args(["rustc", "--release", "--locked", "--package", "signwave-lanes", "--lib", "--target-dir"])
        .arg(&folder)
        .args(["--", "--emit", "asm", "-C", "codegen-units=1"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env_remove("RUSTFLAGS")
        .output()
        .unwrap();
    assert!(build.status.success(), "{}", String::from_utf8_lossy(&build.stderr));
    let files = fs::read_dir(folder.join("release/deps")).unwrap().map(|file| file.unwrap().path());
    let is_ours = |path: &Path| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        name.starts_with("signwave_lanes") && name.ends_with(".s")
    };
    let newest =
        files.filter(|path| is_ours(path)).max_by_key(|path| fs::metadata(path).unwrap().modified().unwrap());
    functions(&fs::read_to_string(newest.unwrap()).unwrap())
});

/// Takes the functions of the engine out of an assembly file.
fn functions(assembly: &str) -> Vec<Function> {
    let mut functions = Vec::new();
    let mut current: Option<Function> = None;
    for line in assembly.lines() {
        if let Some(symbol) =
            line.strip_suffix(':').filter(|symbol| symbol.starts_with("_R") || symbol.starts_with("_ZN"))
        {
            current = engine_name(symbol).map(|name| Function { name, instructions: Vec::new() });
        } else if line.trim_start().starts_with(".cfi_endproc") {
            functions.extend(current.take());
        } else if let Some(function) = &mut current {
            let instruction = line.trim();
            if line.starts_with('\t') && !instruction.starts_with(['.', '#']) && !instruction.is_empty() {
                function.instructions.push(instruction.to_owned());
            }
        }
    }
    functions
}

/// Module and name of a mangled symbol, if it is one of the engine.
fn engine_name(symbol: &str) -> Option<String> {
    let demangled = format!("{:#}", rustc_demangle::demangle(symbol));
    // `<path::Type<20>>::name` or `path::name::<20>` or `path::Type<_>::name`
    let path = demangled.trim_start_matches('<').strip_prefix("signwave_lanes::engine::")?;
    let module = path.split("::").next()?;
    let name = path.rsplit("::").find(|part| !part.starts_with('<'))?;
    Some(format!("{module}::{name}"))
}

fn named(name: &str) -> impl Iterator<Item = &'static Function> {
    FUNCTIONS.iter().filter(move |function| function.name == name)
}

#[test]
fn kernels_have_no_condition_and_the_expected_multiplications() {
    for (name, multiplications, count) in KERNELS {
        assert_eq!(named(name).count(), count, "functions named {name}");
        for kernel in named(name) {
            assert_eq!(kernel.count(|name| name.starts_with("vpmadd52")), multiplications, "{name}");
            // A function ends with its only return, so that there is one path.
            assert_eq!(kernel.count(|name| name.starts_with('j')), 0, "jumps in {name}");
            assert_eq!(kernel.count(|name| name.starts_with("ret")), 1, "{name}");
            // 512 bits wide, and nothing gathered by an index.
            assert_eq!(kernel.count(|name| name.contains("gather") || name.contains("scatter")), 0, "{name}");
        }
    }
}

#[test]
fn multiplications_stand_in_kernels_only() {
    let kernels = KERNELS.map(|(name, ..)| name);
    for function in FUNCTIONS.iter().filter(|function| !kernels.contains(&&*function.name)) {
        assert_eq!(function.count(|name| name.starts_with("vpmadd52")), 0, "{}", function.name);
    }
}

#[test]
fn the_engine_divides_nowhere() {
    for function in FUNCTIONS.iter() {
        let divisions = function
            .count(|name| name.starts_with("div") || name.starts_with("idiv") || name.starts_with("vdiv"));
        assert_eq!(divisions, 0, "{}", function.name);
    }
}

#[test]
fn the_only_conditions_on_vectors_are_the_verdicts() {
    // What moves a vector or a mask to a general register or to the flags.
    let to_scalar = |instruction: &String| {
        let (name, operands) = instruction.split_once(char::is_whitespace).unwrap_or((instruction, ""));
        let target = operands.rsplit(',').next().unwrap_or_default().trim();
        let from_mask = name.starts_with("kmov") && target.starts_with('%') && !target.starts_with("%k");
        let to_flags = name == "vptest"
            || ["vtestp", "kortest", "ktest", "vcomis", "vucomis"].iter().any(|test| name.starts_with(test));
        let extracts = (name.starts_with("vmovq") || name.starts_with("vmovd") || name.starts_with("vpextr"))
            && !name.starts_with("vmovdq")
            && target.starts_with("%r") | target.starts_with("%e");
        from_mask || to_flags || extracts || name.starts_with("vpmovmsk") || name.starts_with("vmovmsk")
    };
    for function in FUNCTIONS.iter() {
        let found: Vec<&String> =
            function.instructions.iter().filter(|instruction| to_scalar(instruction)).collect();
        let allowed = VERDICTS.iter().find(|(name, ..)| *name == function.name);
        let (_, limit, reason) = allowed.copied().unwrap_or(("", 0, "nothing"));
        assert!(found.len() <= limit, "{} decides more than {reason}: {found:?}", function.name);
    }
}

#[test]
fn a_window_of_an_exponent_makes_masks_only() {
    let wanted: Vec<&Function> = named("power::wanted").collect();
    let [wanted] = wanted[..] else { panic!("{} functions make masks of a window", wanted.len()) };
    // The position is checked against the length, twice, before anything is read.
    assert!(wanted.conditional_jumps() <= 2);
    let is_jump = |instruction: &&String| mnemonic(instruction).starts_with('j');
    let after_jumps = wanted.instructions.iter().rposition(|instruction| is_jump(&instruction)).unwrap_or(0);
    // Every index of an address is computed before the first word of the exponent is loaded. From then on, addresses have no index.
    let indexed = |instruction: &&String| instruction.contains("(%r") && instruction.contains(",%r");
    let rest = &wanted.instructions[after_jumps..];
    assert!(rest.iter().filter(indexed).count() <= 2, "{rest:?}");
}

#[test]
fn every_kernel_of_the_engine_is_in_the_list() {
    // What is not a kernel has loops and calls. A large function without them would be a new kernel.
    let kernels = KERNELS.map(|(name, ..)| name);
    for function in FUNCTIONS.iter().filter(|function| function.instructions.len() > 200) {
        let is_straight = function.conditional_jumps() == 0
            && function.count(|name| name == "call" || name == "callq") == 0;
        let is_known = kernels.contains(&&*function.name) || function.name == "power::wanted";
        assert!(!is_straight || is_known, "{} is not in the list of kernels", function.name);
    }
}
