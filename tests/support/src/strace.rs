//! The binary under strace, which writes its system calls down, or makes one fail.

use std::{
    collections::{BTreeMap, HashMap},
    path::Path,
    process::Command,
};

/// `command` under strace, with all its threads and children, and the folder that it runs in.
///
/// The service lets no other process of its user look into its memory, strace included: whoever may
/// is root, be it of a user namespace. Should the test end, strace dies, and with it `command`.
pub fn under(command: &Command, trace: &Path, options: &[String]) -> Command {
    let is_root = rustix::process::geteuid().is_root();
    let mut traced = Command::new(if is_root { "env" } else { "unshare" });
    traced.args(if is_root { &[][..] } else { &["-r"] });
    traced.args(["strace", "-f", "-o"]).arg(trace).args(options);
    traced.args(["setpriv", "--pdeathsig", "KILL"]).arg(command.get_program()).args(command.get_args());
    traced.current_dir(command.get_current_dir().expect("a test runs in a folder of its own"));
    traced.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    traced
}

/// Options with which `fault` befalls the calls `when` of each thread, such as the twentieth (`20`), and only these calls are
/// traced. (Not with `--seccomp-bpf`, where strace sends no signal.)
pub fn inject_at(call: &str, when: &str, fault: &str) -> [String; 4] {
    ["-e", &format!("trace={call}"), "-e", &format!("inject={call}:{fault}:when={when}")].map(str::to_owned)
}

/// How often a thread makes each call of a trace, at most.
pub fn most_of_a_thread(trace: &str) -> BTreeMap<String, usize> {
    let (mut threads, mut most) = (HashMap::<_, usize>::new(), BTreeMap::<String, usize>::new());
    calls(trace).for_each(|call| *threads.entry(call).or_default() += 1);
    for ((_, name), times) in threads {
        let most = most.entry(name.to_owned()).or_default();
        *most = times.max(*most);
    }
    most
}

/// The names of the calls in a trace with their threads, in the order in which they began.
fn calls(trace: &str) -> impl Iterator<Item = (&str, &str)> {
    trace.lines().filter_map(|line| {
        let (thread, rest) = line.split_once(' ')?;
        let name = rest.trim_start().split_once('(')?.0;
        name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_').then_some((thread, name))
    })
}
