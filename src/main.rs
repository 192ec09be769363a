//! The program: no core dumps, then the command line.

use std::process::ExitCode;

use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};

fn main() -> ExitCode {
    // Private keys live in this process: no core file, nor a core piped to a collector (which
    // ignores the limit), nor another process of the same user looking into the memory. Lowering
    // one's own limits cannot fail on Linux, and where it is not possible there is nothing to do.
    let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
    let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    signwave::cli::main()
}
