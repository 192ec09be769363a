//! The program: no core dumps, then the command line.

use std::process::ExitCode;

use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};

fn main() -> ExitCode {
    // This process holds private keys, so its memory must stay private. The limit prevents core files. A core that
    // is piped to a collector ignores the limit, and another process of the same user could read the memory:
    // the second call prevents both. Neither call can fail on Linux, and elsewhere there is no other way.
    let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
    let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    signwave::cli::main()
}
