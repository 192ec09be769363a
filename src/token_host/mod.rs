//! Layer 3, the process that holds a hardware token: it loads the PKCS#11 module, and signs what it is asked for.
//!
//! Nothing else happens in this process, because a module may hang, crash or change any memory. It has no database, no
//! settings but those that it is sent, and an environment that the settings give it.
//!
//! - `opening`: loads the module, finds the token, logs in. `session`: answers requests, one at a time.
//! - `keys`: finds keys. `signing`: the mechanisms. `generating`, `describing`: for commands.
//! - `fault`: whom an error of PKCS#11 blames.
//!
//! cryptoki is used here only.

mod describing;
mod fault;
mod generating;
mod keys;
mod opening;
mod session;
mod signing;

use std::{
    fs::File,
    io::{self, BufReader, BufWriter, Write as _},
    os::fd::{AsFd, OwnedFd},
    process::ExitCode,
    sync::{Arc, Mutex, PoisonError},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use crossbeam_channel::{Receiver, unbounded};
use nix::sys::signal::{SigSet, Signal};
use rustix::{
    process::{getpid, kill_process},
    stdio::{dup2_stdin, dup2_stdout},
};

use crate::signer::token::protocol::{Answer, Ask, Fault, Reply, Request, read_line, write_line};

/// A signature that is made so soon after an answer was sent is sent with the next answer. Each message wakes the service,
/// and so takes time from a module that signs on the same processors.
const TOGETHER: Duration = Duration::from_millis(20);

/// Where the answers go.
#[derive(Clone)]
struct Answers(Arc<Mutex<Written>>);

struct Written {
    file: BufWriter<File>,
    sent_at: Instant,
}

impl Answers {
    fn new(file: File) -> Self {
        Self(Arc::new(Mutex::new(Written { file: BufWriter::new(file), sent_at: Instant::now() })))
    }

    /// Sends an answer, a signature perhaps together with the next answer. If it cannot be read, this process ends soon, because
    /// its requests have ended too.
    fn send(&self, id: u64, answer: Answer) {
        let mut written = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let may_wait = matches!(answer, Answer::Signature(_)) && written.sent_at.elapsed() < TOGETHER;
        let _ = write_line(&mut written.file, &Reply { id, answer });
        if !may_wait {
            let _ = written.file.flush();
            written.sent_at = Instant::now();
        }
    }

    fn outcome(&self, id: u64, outcome: Result<(), Fault>) {
        self.send(id, outcome.map_or_else(Answer::Failed, |()| Answer::Done));
    }
}

/// Holds a token for the process that has started this one, until that process closes the requests or dies.
pub fn run() -> ExitCode {
    let (requests, answers) = match pipes() {
        Ok(pipes) => pipes,
        Err(error) => {
            eprintln!("the pipes to 'signwave' cannot be used: {error}");
            return ExitCode::FAILURE;
        }
    };
    let mut requests = BufReader::new(File::from(requests));
    let answers = Answers::new(File::from(answers));
    let Ok(Some(Request { id, ask: Ask::Start(start) })) = read_line(&mut requests) else {
        eprintln!("this is the part of Sign Wave that holds a token: only 'signwave' itself starts it");
        return ExitCode::from(2);
    };
    let (queue, waiting) = unbounded();
    // This thread reads on while the token is being opened, so that the end of the requests is seen even if it hangs.
    let opened = {
        let answers = answers.clone();
        thread::Builder::new().name("open".into()).spawn(move || {
            let opened = opening::open(&start, |answer| answers.send(id, answer));
            let outcome = opened.map(|sessions| {
                answers.send(id, Answer::Opened(sessions.len()));
                sessions.into_iter().map(|session| serve(session, &waiting, &answers)).collect::<Vec<_>>()
            });
            let (threads, outcome) = match outcome {
                Ok(threads) => (threads, Ok(())),
                Err(fault) => (vec![], Err(fault)),
            };
            answers.outcome(id, outcome);
            threads
        })
    };
    while let Ok(Some(request)) = read_line::<Request>(&mut requests) {
        if queue.send(request).is_err() {
            break;
        }
    }
    drop(queue);
    end(opened.ok())
}

/// The pipes to the parent. Modules may print to standard output, and read from standard input, so both are exchanged.
fn pipes() -> io::Result<(OwnedFd, OwnedFd)> {
    // systemd and terminals signal all processes of a service. This one goes on until its parent has stopped.
    let ignored: SigSet = [Signal::SIGHUP, Signal::SIGINT, Signal::SIGTERM].into_iter().collect();
    ignored.thread_block()?;
    let requests = io::stdin().as_fd().try_clone_to_owned()?;
    let answers = io::stdout().as_fd().try_clone_to_owned()?;
    dup2_stdin(File::open("/dev/null")?)?;
    dup2_stdout(io::stderr())?;
    Ok((requests, answers))
}

/// A thread that answers requests with a session, until there are no more.
fn serve(
    session: session::Session,
    waiting: &Receiver<Request>,
    answers: &Answers,
) -> Option<JoinHandle<()>> {
    let (waiting, answers) = (waiting.clone(), answers.clone());
    let serve = move || session.serve(&waiting, &answers);
    thread::Builder::new().name("session".into()).spawn(serve).ok()
}

/// How long the sessions may take to close.
const CLOSING: Duration = Duration::from_millis(500);

type Opened = Option<JoinHandle<Vec<Option<JoinHandle<()>>>>>;

/// Ends this process, after the idle sessions were closed. The last step is SIGKILL, because a library's clean-up at exit
/// may crash or hang, or pull memory from under its own threads.
fn end(opened: Opened) -> ExitCode {
    let deadline = Instant::now() + CLOSING;
    let is_done = |thread: &JoinHandle<()>| thread.is_finished();
    let wait = |is_done: &dyn Fn() -> bool| {
        while !is_done() && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(1));
        }
        is_done()
    };
    if let Some(opened) = opened
        && wait(&|| opened.is_finished())
        && let Ok(sessions) = opened.join()
    {
        wait(&|| sessions.iter().flatten().all(is_done));
    }
    die();
    ExitCode::FAILURE
}

/// Ends this process at once.
fn die() {
    // It cannot fail for a process that signals itself.
    let _ = kill_process(getpid(), rustix::process::Signal::KILL);
}
