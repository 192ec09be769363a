//! Keeps a token open: starts its process, starts it anew when the token failed, and knows whether it is up.

use std::{
    mem,
    path::PathBuf,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use super::{
    TokenSettings,
    host::{Host, Login, NotOpened},
    protocol::{Answer, Ask, Blame, Fault, ToSign},
    retry::pause,
    suspects::Suspects,
};

/// How often a token that has nothing to do is asked whether it is alive. Some close idle sessions after 15 s.
const PING: Duration = Duration::from_secs(10);

/// How often a PIN that has never worked is sent to the token without an answer. Most tokens lock after three.
const UNANSWERED_AT_MOST: u32 = 2;

/// A token that is kept open while this exists, from the first time that it is needed.
pub struct Token {
    inner: Arc<Inner>,
}

struct Inner {
    custodian: String,
    program: PathBuf,
    settings: TokenSettings,
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    phase: Phase,
    is_closed: bool,
    /// When it was last tried to open the token.
    tried: Option<Instant>,
    /// Since when the token fails.
    fails_since: Option<Instant>,
    /// Whether the PIN has worked, and how often it was sent without an answer before that.
    pin_worked: bool,
    unanswered: u32,
    /// One of the digests that the token has signed last. It is signed again to see whether the token has come back.
    signed: Option<ToSign>,
    suspects: Suspects,
}

#[derive(Clone)]
enum Phase {
    /// Nothing has needed it yet.
    Unused,
    /// It is being opened, and everything waits for that.
    Opening,
    /// It is open.
    Up(Arc<Host>),
    /// It does not work, for this reason, and is tried again and again.
    Down(String),
    /// It is not tried again by this process, for this reason.
    Refused(String),
}

impl Token {
    /// The token of a custodian. `program` is this program: its process loads the module.
    pub fn new(custodian: &str, program: PathBuf, settings: TokenSettings) -> Self {
        let state = Mutex::new(State {
            phase: Phase::Unused,
            is_closed: false,
            tried: None,
            fails_since: None,
            pin_worked: false,
            unanswered: 0,
            signed: None,
            suspects: Suspects::default(),
        });
        let custodian = custodian.to_owned();
        Self { inner: Arc::new(Inner { custodian, program, settings, state, changed: Condvar::new() }) }
    }

    /// The name of its custodian.
    pub(super) fn custodian(&self) -> &str {
        &self.inner.custodian
    }

    /// How many keys may sign at a time.
    pub fn sessions(&self) -> usize {
        self.inner.settings.sessions
    }

    /// Whether its keys can be used, as far as is known: it is up, or about to be.
    pub fn is_up(&self) -> bool {
        let state = self.inner.used();
        matches!(state.phase, Phase::Opening | Phase::Up(_))
    }

    /// Has the token sign. Waits while it is being opened.
    ///
    /// # Errors
    /// When the token is down, or fails. Unless the key is to blame, the process that was asked has ended then.
    pub(super) fn sign(&self, to_sign: ToSign) -> Result<Vec<Answer>, Fault> {
        let host = self.inner.host()?;
        let one = ToSign { digests: to_sign.digests.iter().take(1).cloned().collect(), ..to_sign.clone() };
        let answers = sign(&host, to_sign);
        match answers {
            Ok(answers) => {
                let mut state = self.inner.lock();
                state.suspects.clear(&one.key);
                state.signed = Some(one);
                Ok(answers)
            }
            Err(fault) if fault.blame == Blame::Key => Err(fault),
            Err(fault) => {
                self.inner.fell(&host, &fault.reason);
                let is_key = self.inner.lock().suspects.accuse(&one.key);
                let reason = format!("the token fails with this key alone: {}", fault.reason);
                Err(if is_key { Fault::key(reason) } else { fault })
            }
        }
    }
}

/// Has an open token sign.
pub(super) fn sign(host: &Host, to_sign: ToSign) -> Result<Vec<Answer>, Fault> {
    let count = to_sign.digests.len();
    host.ask(Ask::Sign(to_sign), count, host.timeout())
}

impl Drop for Token {
    fn drop(&mut self) {
        let mut state = self.inner.lock();
        state.is_closed = true;
        let phase = mem::replace(&mut state.phase, Phase::Refused("it was closed".to_owned()));
        drop(state);
        self.inner.changed.notify_all();
        drop(phase); // closes the token, and waits for that
    }
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens the token, if nothing has needed it yet.
    fn used(self: &Arc<Self>) -> MutexGuard<'_, State> {
        let mut state = self.lock();
        if matches!(state.phase, Phase::Unused) {
            state.phase = Phase::Opening;
            let inner = Arc::clone(self);
            let name = format!("token-{}", self.custodian);
            if let Err(error) = thread::Builder::new().name(name).spawn(move || inner.keep()) {
                log::error!("custodian '{}': a thread could not be started: {error}", self.custodian);
                state.phase = Phase::Unused; // the next one who needs it tries again
                return state;
            }
        }
        state
    }

    /// The open token. Waits while it is being opened, which takes a limited time.
    fn host(self: &Arc<Self>) -> Result<Arc<Host>, Fault> {
        let mut state = self.used();
        loop {
            match &state.phase {
                Phase::Up(host) => return Ok(Arc::clone(host)),
                Phase::Opening => {
                    state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
                }
                Phase::Down(reason) | Phase::Refused(reason) => return Err(Fault::custodian(reason.clone())),
                Phase::Unused => return Err(Fault::custodian("its thread could not be started")),
            }
        }
    }

    /// Notes that a token which was open has failed, unless that is known. It is opened again at once, if it has worked
    /// for a while: then nothing but what was under way notices.
    fn fell(&self, host: &Arc<Host>, reason: &str) {
        let mut state = self.lock();
        if !matches!(&state.phase, Phase::Up(up) if Arc::ptr_eq(up, host)) {
            return;
        }
        log::warn!("custodian '{}' has failed, and is opened again: {reason}", self.custodian);
        let now = Instant::now();
        state.fails_since = Some(now);
        state.phase =
            if state.next_try(now) <= now { Phase::Opening } else { Phase::Down(reason.to_owned()) };
        drop(state);
        self.changed.notify_all();
    }

    /// What the thread of the token does.
    fn keep(self: Arc<Self>) {
        loop {
            let state = self.lock();
            if state.is_closed {
                return;
            }
            match state.phase.clone() {
                Phase::Opening => drop(state),
                Phase::Down(_) => {
                    let now = Instant::now();
                    let left = state.next_try(now).saturating_duration_since(now);
                    if !left.is_zero() {
                        drop(self.changed.wait_timeout(state, left));
                        continue;
                    }
                    drop(state);
                }
                Phase::Up(host) => {
                    self.watch(&host, state);
                    continue;
                }
                Phase::Refused(_) | Phase::Unused => return,
            }
            self.open();
        }
    }

    /// Waits a while, and then asks whether the token is alive.
    fn watch(&self, host: &Arc<Host>, state: MutexGuard<'_, State>) {
        if !host.is_over() {
            let waited = self.changed.wait_timeout(state, PING).unwrap_or_else(PoisonError::into_inner);
            if !waited.1.timed_out() {
                return;
            }
            drop(waited);
        } else {
            drop(state);
        }
        if let Err(fault) = host.ask(Ask::Ping, 0, host.timeout()) {
            self.fell(host, &fault.reason);
        }
    }

    /// Tries to open the token, and signs what was signed last.
    fn open(self: &Arc<Self>) {
        let mut state = self.lock();
        state.tried = Some(Instant::now());
        let (is_cautious, last) = (state.unanswered > 0 && !state.pin_worked, state.signed.clone());
        drop(state);
        let inner = Arc::downgrade(self);
        let on_end = move || {
            if let Some(inner) = inner.upgrade() {
                // The lock makes sure that a thread which has just seen it at work is waiting already.
                drop(inner.lock());
                inner.changed.notify_all();
            }
        };
        let opened = Host::start(&self.custodian, &self.program, &self.settings, is_cautious, on_end);
        let tried = opened.and_then(|host| match last.map(|last| sign(&host, last)) {
            Some(Err(fault)) if fault.blame != Blame::Key => Err(NotOpened { fault, login: Login::Worked }),
            _ => Ok(host),
        });
        let mut state = self.lock();
        if state.is_closed {
            return;
        }
        match tried {
            Ok(host) => self.note_open(&mut state, host),
            Err(NotOpened { fault, login }) => self.note_failure(&mut state, fault, login),
        }
        drop(state);
        self.changed.notify_all();
    }

    fn note_open(&self, state: &mut State, host: Host) {
        let (name, sessions, wanted) = (&self.custodian, host.sessions(), self.settings.sessions);
        log::info!("custodian '{name}' is up, with {sessions} sessions");
        if sessions < wanted {
            log::warn!("custodian '{name}': the token allows {sessions} sessions, not {wanted}");
        }
        (state.pin_worked, state.unanswered, state.fails_since) = (true, 0, None);
        state.phase = Phase::Up(Arc::new(host));
    }

    fn note_failure(&self, state: &mut State, fault: Fault, login: Login) {
        let Fault { blame, mut reason } = fault;
        match login {
            Login::Worked => (state.pin_worked, state.unanswered) = (true, 0),
            Login::Unknown => state.unanswered += 1,
            Login::NotTried => {}
        }
        let is_unproven = !state.pin_worked && state.unanswered >= UNANSWERED_AT_MOST;
        if blame == Blame::Pin || is_unproven {
            if is_unproven {
                reason += "; whether the PIN is right is not known";
            }
            log::error!(
                "custodian '{}' is not used, because its PIN must not be tried again, which could lock the token: \
                 {reason}; then restart this process",
                self.custodian
            );
            state.phase = Phase::Refused(reason);
            return;
        }
        if !matches!(&state.phase, Phase::Down(known) if *known == reason) {
            log::error!("custodian '{}' is down, and is tried again: {reason}", self.custodian);
        }
        state.fails_since.get_or_insert_with(Instant::now);
        state.phase = Phase::Down(reason);
    }
}

impl State {
    /// When the token may be opened again.
    fn next_try(&self, now: Instant) -> Instant {
        let fails_for = self.fails_since.map_or(Duration::ZERO, |since| now.saturating_duration_since(since));
        self.tried.map_or(now, |tried| tried + pause(fails_for))
    }
}

#[cfg(test)]
mod tests;
