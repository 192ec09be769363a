//! A TCP proxy between clients and PostgreSQL that fails on command: it cuts, delays, holds back, and
//! loses a COMMIT or the answer to one.

pub mod protocol;

use std::{
    collections::HashMap,
    io::{Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{Arc, Condvar, Mutex, MutexGuard},
    thread,
    time::Duration,
};

use protocol::{Answer, Conversation};

/// A proxy at work at a port of 127.0.0.1; it ends, with all its connections, when dropped.
pub struct Proxy {
    port: u16,
    shared: Arc<Shared>,
}

/// How the network is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// As it should be.
    Forward,
    /// Everything takes that much longer, in each direction.
    Delay(Duration),
    /// A black hole: connections are accepted and stay open, but nothing gets through. What was sent
    /// meanwhile arrives when it is over, as TCP does it, even if its sender is gone by then.
    Hold,
    /// New connections are closed at once.
    Refuse,
}

/// Which half of a COMMIT is lost, together with its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// It never arrives: the transaction does not happen.
    Request,
    /// It arrives and is done, but the client never hears of it.
    Answer,
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    upstream: u16,
    mode: Mode,
    loss: Option<Plan>,
    /// How often a COMMIT was lost that the server did not see, and one that it confirmed.
    lost_requests: usize,
    lost_answers: usize,
    connections: HashMap<u64, (TcpStream, TcpStream)>,
    accepted: u64,
    ended: bool,
}

struct Plan {
    loss: Loss,
    left: usize,
    about: &'static str,
}

impl Proxy {
    /// A proxy to that port of 127.0.0.1.
    pub fn to(upstream: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let state = State {
            upstream,
            mode: Mode::Forward,
            loss: None,
            lost_requests: 0,
            lost_answers: 0,
            connections: HashMap::new(),
            accepted: 0,
            ended: false,
        };
        let shared = Arc::new(Shared { state: Mutex::new(state), changed: Condvar::new() });
        let proxy = Self { port: listener.local_addr().unwrap().port(), shared: Arc::clone(&shared) };
        thread::spawn(move || accept(&listener, &shared));
        proxy
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// From now on the network is like that, for old and new connections.
    pub fn set(&self, mode: Mode) {
        self.shared.lock().mode = mode;
        self.shared.changed.notify_all();
    }

    /// From now on new connections lead to that port of 127.0.0.1, as when another server takes over.
    pub fn lead_to(&self, upstream: u16) {
        self.shared.lock().upstream = upstream;
    }

    /// Ends all connections as they are; returns how many. What they held back is lost.
    pub fn cut(&self) -> usize {
        let connections = std::mem::take(&mut self.shared.lock().connections);
        connections.values().for_each(|(client, server)| close(client, server));
        self.shared.changed.notify_all();
        connections.len()
    }

    /// Loses the next `count` COMMITs, or answers to them, of transactions with `about` somewhere in
    /// their SQL; an INSERT outside of transactions commits itself.
    pub fn lose(&self, loss: Loss, count: usize, about: &'static str) {
        self.shared.lock().loss = Some(Plan { loss, left: count, about });
    }

    /// How many COMMITs were lost on their way, and how many that the server has confirmed.
    pub fn lost(&self) -> (usize, usize) {
        let state = self.shared.lock();
        (state.lost_requests, state.lost_answers)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.lock().ended = true;
        self.cut();
        let _ = TcpStream::connect(("127.0.0.1", self.port)); // wakes the one who accepts
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    for client in listener.incoming() {
        let (ended, mode) = {
            let state = shared.lock();
            (state.ended, state.mode)
        };
        if ended {
            return;
        }
        if mode != Mode::Refuse {
            let shared = Arc::clone(shared);
            thread::spawn(move || shared.connect(client.unwrap()));
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    fn connect(self: Arc<Self>, client: TcpStream) {
        self.pass();
        let upstream = self.lock().upstream;
        let Ok(server) = TcpStream::connect(("127.0.0.1", upstream)) else { return };
        for stream in [&client, &server] {
            stream.set_nodelay(true).unwrap();
        }
        let pair = || (client.try_clone().unwrap(), server.try_clone().unwrap());
        let number = {
            let mut state = self.lock();
            state.accepted += 1;
            let number = state.accepted;
            state.connections.insert(number, pair());
            number
        };
        let conversation = Arc::new(Mutex::new(Conversation::default()));
        let (to_server, to_client) = (pair(), pair());
        let (shared, talk) = (Arc::clone(&self), Arc::clone(&conversation));
        thread::spawn(move || {
            shared.pump(&to_server.0, &to_server.1, |bytes| shared.sent(&talk, bytes));
            close(&to_server.0, &to_server.1);
        });
        self.pump(&to_client.1, &to_client.0, |bytes| self.answered(&conversation, bytes));
        close(&to_client.0, &to_client.1);
        self.lock().connections.remove(&number);
    }

    /// Forwards until either side is done, or `judge` says that this is the end.
    fn pump(&self, mut from: &TcpStream, mut to: &TcpStream, judge: impl Fn(&[u8]) -> Verdict) {
        let mut buffer = vec![0; 1 << 16];
        while let Ok(length @ 1..) = from.read(&mut buffer) {
            self.pass();
            let bytes = &buffer[..length];
            let done = match judge(bytes) {
                Verdict::Forward => to.write_all(bytes).is_err(),
                Verdict::Withhold => false,
                Verdict::Cut => true,
            };
            if done {
                return;
            }
        }
    }

    /// Takes as long as the network does now. The caller notices a cut when it goes on.
    fn pass(&self) {
        let state = self.changed.wait_while(self.lock(), |state| state.mode == Mode::Hold && !state.ended);
        let mode = state.unwrap().mode;
        if let Mode::Delay(delay) = mode {
            thread::sleep(delay);
        }
    }

    fn sent(&self, conversation: &Mutex<Conversation>, bytes: &[u8]) -> Verdict {
        let mut conversation = conversation.lock().unwrap();
        let about = self.lock().loss.as_ref().map_or("", |plan| plan.about);
        if !conversation.sent(bytes, about) {
            return Verdict::Forward;
        }
        let mut state = self.lock();
        let Some(plan) = state.loss.as_mut().filter(|plan| plan.left > 0) else { return Verdict::Forward };
        plan.left -= 1;
        match plan.loss {
            Loss::Request => {
                state.lost_requests += 1;
                Verdict::Cut
            }
            Loss::Answer => {
                // Before it is forwarded, so that no answer can slip through.
                conversation.withhold();
                Verdict::Forward
            }
        }
    }

    fn answered(&self, conversation: &Mutex<Conversation>, bytes: &[u8]) -> Verdict {
        match conversation.lock().unwrap().answered(bytes) {
            Answer::Public => Verdict::Forward,
            Answer::Unfinished => Verdict::Withhold,
            Answer::Withheld { committed } => {
                self.lock().lost_answers += usize::from(committed);
                Verdict::Cut
            }
        }
    }
}

/// What happens to the bytes in hand.
enum Verdict {
    Forward,
    Withhold,
    Cut,
}

fn close(client: &TcpStream, server: &TcpStream) {
    for stream in [client, server] {
        let _ = stream.shutdown(Shutdown::Both); // the other side may have done it
    }
}
