//! A receiver of messages: an HTTP server that answers as it is told, and keeps what it got.

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
    thread,
    time::Duration,
};

use serde_json::Value;
use support::{
    postgres::free_port,
    waiting::{lasting, until},
};

use crate::SOON;

/// How a receiver answers.
#[derive(Clone, Debug)]
pub enum Reply {
    /// With this status and these lines of the head.
    Status(u16, String),
    /// With success, after a while.
    After(Duration),
    /// Never, while the connection lasts.
    Never,
    /// With success, and a body that does not end.
    Endless,
}

/// A message as it came.
#[derive(Clone, Debug)]
pub struct Message {
    pub path: String,
    pub headers: BTreeMap<String, String>,
    pub body: String,
}

impl Message {
    pub fn id(&self) -> &str {
        &self.headers["webhook-id"]
    }

    /// The place in the feed that it tells of.
    pub fn place(&self) -> i64 {
        let body: Value = serde_json::from_str(&self.body).unwrap();
        let position = body["data"]["position"].as_str().unwrap();
        position.split_once('.').unwrap().1.parse().unwrap()
    }
}

struct Shared {
    reply: Mutex<Reply>,
    messages: Mutex<Vec<Message>>,
    at_once: AtomicUsize,
    most_at_once: AtomicUsize,
    is_closed: AtomicBool,
}

/// A receiver on a port of 127.0.0.1.
pub struct Receiver {
    address: SocketAddr,
    shared: Arc<Shared>,
}

impl Receiver {
    pub fn new() -> Self {
        Self::replying(Reply::Status(200, String::new()))
    }

    pub fn replying(reply: Reply) -> Self {
        // Not one that the system might give to a connection while the receiver is closed.
        let listener = TcpListener::bind(("127.0.0.1", free_port())).unwrap();
        let shared = Shared {
            reply: Mutex::new(reply),
            messages: Mutex::default(),
            at_once: AtomicUsize::new(0),
            most_at_once: AtomicUsize::new(0),
            is_closed: AtomicBool::new(false),
        };
        let receiver = Self { address: listener.local_addr().unwrap(), shared: Arc::new(shared) };
        receiver.accept(listener);
        receiver
    }

    fn accept(&self, listener: TcpListener) {
        let shared = Arc::clone(&self.shared);
        thread::spawn(move || {
            for stream in listener.incoming() {
                if shared.is_closed.load(SeqCst) {
                    return;
                }
                let shared = Arc::clone(&shared);
                thread::spawn(move || answer(stream.unwrap(), &shared));
            }
        });
    }

    /// Refuses connections from now on.
    pub fn close(&self) {
        self.shared.is_closed.store(true, SeqCst);
        drop(TcpStream::connect(self.address)); // the listener looks, and ends
        until("the port is closed", SOON, || TcpStream::connect(self.address).is_err());
    }

    /// Accepts connections again.
    pub fn open(&self) {
        let listener = TcpListener::bind(self.address).unwrap();
        self.shared.is_closed.store(false, SeqCst);
        self.accept(listener);
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub fn port(&self) -> u16 {
        self.address.port()
    }

    pub fn reply(&self, reply: Reply) {
        *self.shared.reply.lock().unwrap() = reply;
    }

    pub fn messages(&self) -> Vec<Message> {
        self.shared.messages.lock().unwrap().clone()
    }

    /// Waits for this many messages, and returns the last one.
    pub fn until(&self, messages: usize) -> Message {
        until(&format!("{messages} messages came"), SOON, || self.messages().len() >= messages);
        self.messages().pop().unwrap()
    }

    /// How many messages were being answered after a while at the same time, at most.
    pub fn most_at_once(&self) -> usize {
        self.shared.most_at_once.load(SeqCst)
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.shared.is_closed.store(true, SeqCst);
        drop(TcpStream::connect(self.address));
    }
}

fn answer(mut stream: TcpStream, shared: &Shared) {
    let Some(message) = read(&stream) else { return };
    let reply = shared.reply.lock().unwrap().clone();
    shared.messages.lock().unwrap().push(message);
    // The client may go away at any time.
    let _ = match reply {
        Reply::Status(status, head) => {
            write!(stream, "HTTP/1.1 {status} Reason\r\ncontent-length: 2\r\n{head}\r\nok")
        }
        Reply::After(time) => {
            shared.most_at_once.fetch_max(shared.at_once.fetch_add(1, SeqCst) + 1, SeqCst);
            lasting(time);
            shared.at_once.fetch_sub(1, SeqCst); // who has the answer may send the next one
            write!(stream, "HTTP/1.1 204 Reason\r\n\r\n")
        }
        Reply::Never => stream.read(&mut [0]).map(drop),
        Reply::Endless => endless(&mut stream),
    };
}

fn endless(stream: &mut TcpStream) -> std::io::Result<()> {
    write!(stream, "HTTP/1.1 200 Reason\r\n\r\n")?;
    loop {
        stream.write_all(b"x")?;
        lasting(Duration::from_millis(20));
    }
}

/// One request; `None` if the client sends none.
fn read(stream: &TcpStream) -> Option<Message> {
    let mut reader = BufReader::new(stream);
    let mut lines = reader.by_ref().lines();
    let first = lines.next()?.ok()?;
    let path = first.split(' ').nth(1)?.to_owned();
    let head = lines.map_while(Result::ok).take_while(|line| !line.is_empty());
    let headers: BTreeMap<_, _> = head
        .filter_map(|line| {
            let (name, value) = line.split_once(':')?;
            Some((name.to_lowercase(), value.trim().to_owned()))
        })
        .collect();
    let mut body = vec![0; headers.get("content-length")?.parse().ok()?];
    reader.read_exact(&mut body).ok()?;
    Some(Message { path, headers, body: String::from_utf8(body).ok()? })
}
