//! A conversation with the process that holds a token: requests, answers, and deadlines.

use std::{
    collections::HashMap,
    fmt,
    io::{self, BufReader},
    mem,
    path::Path,
    process::{ChildStdin, ChildStdout},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use super::{
    TokenSettings,
    process::{Pipes, Process},
    protocol::{Answer, Ask, Blame, Fault, Reply, Request, Start, read_line, write_line},
};

/// An open token. The process ends when this is dropped.
pub struct Host {
    conversation: Arc<Conversation>,
    requests: Mutex<Option<ChildStdin>>,
    timeout: Duration,
    sessions: usize,
}

/// A token that could not be opened, with what is known of the login.
#[derive(Debug)]
pub(super) struct NotOpened {
    pub(super) fault: Fault,
    pub(super) login: Login,
}

/// What is known of a login.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Login {
    /// The token has not looked at the PIN.
    NotTried,
    /// The token may have looked at the PIN, and did not say that it is right.
    Unknown,
    /// The PIN is right.
    Worked,
}

/// What the reader of the answers shares with those who wait for them.
struct Conversation {
    process: Process,
    talk: Mutex<Talk>,
    changed: Condvar,
    /// Called after the end of the process, without a lock.
    on_end: Box<dyn Fn() + Send + Sync>,
}

#[derive(Default)]
struct Talk {
    last_id: u64,
    waiting: HashMap<u64, Waiting>,
    /// How many sessions have nothing to do.
    free: usize,
    /// Whether the process is being ended.
    is_ending: bool,
    /// Whether the process has ended, and was waited for.
    is_over: bool,
    /// Why it has ended.
    why: String,
}

/// A request that waits for answers.
struct Waiting {
    answers: Vec<Answer>,
    at_most: usize,
    deadline: Instant,
    timeout: Duration,
    outcome: Option<Result<(), Fault>>,
}

impl Host {
    /// Starts a process for the token of a custodian, and opens the token. `on_end` is called when the process has
    /// ended.
    pub(super) fn start(
        custodian: &str,
        program: &Path,
        settings: &TokenSettings,
        is_cautious: bool,
        on_end: impl Fn() + Send + Sync + 'static,
    ) -> Result<Self, NotOpened> {
        let failed = |error: io::Error| NotOpened {
            fault: Fault::custodian(format!("its process could not be started: {error}")),
            login: Login::NotTried,
        };
        let (process, Pipes { requests, answers }) =
            Process::start(custodian, program, &settings.env).map_err(failed)?;
        let talk = Mutex::new(Talk { free: 1, ..Talk::default() });
        let conversation =
            Arc::new(Conversation { process, talk, changed: Condvar::new(), on_end: Box::new(on_end) });
        let reader = Arc::clone(&conversation);
        let requests = Mutex::new(Some(requests));
        let mut host = Self { conversation, requests, timeout: settings.timeout, sessions: 1 };
        thread::Builder::new()
            .name("token-reader".into())
            .spawn(move || reader.read(answers))
            .map_err(failed)?;
        let ask = Ask::Start(Start {
            module: settings.module.clone(),
            label: settings.label.clone(),
            serial: settings.serial.clone(),
            pin_file: settings.pin_file.clone(),
            sessions: settings.sessions,
            is_cautious,
        });
        let (answers, outcome) = host.ask_for(ask, 8, settings.timeout);
        match outcome {
            Ok(()) => {
                let opened = answers.iter().find_map(|answer| match answer {
                    Answer::Opened(sessions) => Some(*sessions),
                    _ => None,
                });
                host.sessions = opened.unwrap_or(1).clamp(1, settings.sessions.max(1));
                host.conversation.lock().free = host.sessions;
                Ok(host)
            }
            Err(fault) => Err(NotOpened { fault, login: login(&answers) }),
        }
    }

    /// How many sessions are open: how many requests it answers at a time.
    pub fn sessions(&self) -> usize {
        self.sessions
    }

    /// Whether the process has ended.
    pub(super) fn is_over(&self) -> bool {
        self.conversation.lock().is_over
    }

    /// Asks, and waits for the answers, of which there are at most `at_most`. The time limit begins anew with each
    /// answer.
    ///
    /// # Errors
    /// When the request fails. Unless the key is to blame, the process has ended then, and was waited for.
    pub(super) fn ask(&self, ask: Ask, at_most: usize, timeout: Duration) -> Result<Vec<Answer>, Fault> {
        let (answers, outcome) = self.ask_for(ask, at_most, timeout);
        outcome.map(|()| answers)
    }

    /// How long an operation may take.
    pub(super) fn timeout(&self) -> Duration {
        self.timeout
    }

    fn ask_for(&self, ask: Ask, at_most: usize, timeout: Duration) -> (Vec<Answer>, Result<(), Fault>) {
        let id = match self.conversation.enter(at_most, timeout) {
            Ok(id) => id,
            Err(fault) => return (vec![], Err(fault)),
        };
        let mut requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        let sent = requests.as_mut().map(|requests| write_line(requests, &Request { id, ask }));
        drop(requests);
        if !matches!(sent, Some(Ok(()))) {
            // Its end says why, if it has ended.
            self.conversation.end(|how| format!("its process has ended ({how})"));
        }
        let (answers, outcome) = self.conversation.wait(id);
        if let Err(fault) = &outcome
            && fault.blame != Blame::Key
        {
            self.conversation.end(|_| fault.reason.clone());
        }
        (answers, outcome)
    }
}

fn login(answers: &[Answer]) -> Login {
    if answers.contains(&Answer::LoggedIn) {
        Login::Worked
    } else if answers.contains(&Answer::LoggingIn) && !answers.contains(&Answer::NotLoggedIn) {
        Login::Unknown
    } else {
        Login::NotTried
    }
}

/// How long a process may take to close its sessions, which some tokens have few of, and keep open for a while.
const CLOSING: Duration = Duration::from_secs(1);

impl Drop for Host {
    /// Closing the requests is the signal to end.
    fn drop(&mut self) {
        drop(self.requests.lock().unwrap_or_else(PoisonError::into_inner).take());
        self.conversation.process.ends_within(CLOSING);
        self.conversation.end(|_| "it was closed".to_owned());
    }
}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Host({} sessions)", self.sessions)
    }
}

impl Conversation {
    fn lock(&self) -> MutexGuard<'_, Talk> {
        self.talk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a free session, and gives the request a number. The time limit begins then: who waits for a session
    /// waits for others, each of whom has a limit.
    fn enter(&self, at_most: usize, timeout: Duration) -> Result<u64, Fault> {
        let mut talk = self.lock();
        loop {
            if talk.is_over {
                return Err(talk.over());
            }
            if talk.free > 0 && !talk.is_ending {
                break;
            }
            talk = self.changed.wait(talk).unwrap_or_else(PoisonError::into_inner);
        }
        talk.free -= 1;
        talk.last_id += 1;
        let (id, deadline) = (talk.last_id, Instant::now() + timeout);
        talk.waiting.insert(id, Waiting { answers: vec![], at_most, deadline, timeout, outcome: None });
        Ok(id)
    }

    /// Waits for the outcome of a request, at most until its deadline. Then the process is killed, because nothing
    /// else ends an operation that hangs in a module.
    fn wait(&self, id: u64) -> (Vec<Answer>, Result<(), Fault>) {
        let mut talk = self.lock();
        loop {
            let is_over = talk.is_over;
            let Some(waiting) = talk.waiting.get_mut(&id) else { return (vec![], Err(talk.over())) };
            let left = waiting.deadline.saturating_duration_since(Instant::now());
            if waiting.outcome.is_some() || is_over {
                let (answers, outcome) = (mem::take(&mut waiting.answers), waiting.outcome.take());
                talk.waiting.remove(&id);
                talk.free += 1;
                self.changed.notify_all();
                return (answers, outcome.unwrap_or_else(|| Err(talk.over())));
            }
            if left.is_zero() {
                let limit = waiting.timeout;
                drop(talk);
                self.end(|_| {
                    format!(
                        "it did not answer within {limit:?}, and its process was killed: check the device, or raise \
                         its timeout"
                    )
                });
                talk = self.lock();
            } else {
                talk = self.changed.wait_timeout(talk, left).unwrap_or_else(PoisonError::into_inner).0;
            }
        }
    }

    /// Hands out the answers until there are no more.
    fn read(&self, answers: ChildStdout) {
        let mut answers = BufReader::new(answers);
        let strange = loop {
            match read_line::<Reply>(&mut answers) {
                Ok(Some(reply)) => {
                    let is_last = matches!(reply.answer, Answer::Done | Answer::Failed(_));
                    if !self.lock().take(reply) {
                        break Some("more answers than questions".to_owned());
                    }
                    if is_last {
                        self.changed.notify_all();
                    }
                }
                Ok(None) => break None,
                Err(error) => break Some(error.to_string()),
            }
        };
        self.end(|how| match strange {
            None => format!("its process has ended ({how})"),
            Some(strange) => format!("its process answered nonsense, and was killed: {strange}"),
        });
        (self.on_end)();
    }

    /// Kills the process, waits for its end, and only then fails all requests that are under way, because what they
    /// were asked for may be given to others as soon as they fail. The first reason counts; it is told how the process
    /// ended.
    fn end(&self, why: impl FnOnce(&str) -> String) {
        let mut talk = self.lock();
        if mem::replace(&mut talk.is_ending, true) {
            while !talk.is_over {
                talk = self.changed.wait(talk).unwrap_or_else(PoisonError::into_inner);
            }
            return;
        }
        drop(talk);
        let how = self.process.end();
        let mut talk = self.lock();
        talk.why = why(&how);
        talk.is_over = true;
        drop(talk);
        self.changed.notify_all();
    }
}

impl Talk {
    /// Takes an answer; `false` if nothing asked for it.
    fn take(&mut self, Reply { id, answer }: Reply) -> bool {
        let Some(waiting) = self.waiting.get_mut(&id) else { return false };
        waiting.deadline = Instant::now() + waiting.timeout;
        match answer {
            Answer::Done => waiting.outcome = Some(Ok(())),
            Answer::Failed(fault) => waiting.outcome = Some(Err(fault)),
            answer => waiting.answers.push(answer),
        }
        waiting.answers.len() <= waiting.at_most
    }

    fn over(&self) -> Fault {
        Fault::custodian(self.why.clone())
    }
}

#[cfg(test)]
mod tests;
