//! A wire to a server that swallows or holds up what goes one way.

use std::{
    io::{Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
    thread,
    time::{Duration, Instant},
};

use crate::waiting::lasting;

/// How long a client has for sending what is to be lost.
const LOSING: Duration = Duration::from_secs(5);

/// What a client sends, or what the server answers, never arrives once the wire is told so. The connection stays open as
/// long as the client lives, or until it is cut.
pub struct Wire {
    /// Where clients connect, at 127.0.0.1.
    pub port: u16,
    /// Whether it swallows what clients send.
    pub swallows: Arc<AtomicBool>,
    /// Whether what clients send has to wait. It arrives later, also if the client is gone by then.
    pub holds: Arc<AtomicBool>,
    /// Whether it swallows what the server answers.
    pub swallows_answers: Arc<AtomicBool>,
    /// How many bytes it has swallowed or held up.
    pub swallowed: Arc<AtomicUsize>,
    connections: Arc<Mutex<Vec<TcpStream>>>,
}

impl Wire {
    /// A wire to that port of 127.0.0.1.
    pub fn to(server: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let wire = Self {
            port: listener.local_addr().unwrap().port(),
            swallows: Arc::default(),
            holds: Arc::default(),
            swallows_answers: Arc::default(),
            swallowed: Arc::default(),
            connections: Arc::default(),
        };
        let (swallows, answers) = (Arc::clone(&wire.swallows), Arc::clone(&wire.swallows_answers));
        let (holds, never) = (Arc::clone(&wire.holds), Arc::default());
        let (swallowed, connections) = (Arc::clone(&wire.swallowed), Arc::clone(&wire.connections));
        thread::spawn(move || {
            for client in listener.incoming() {
                let client = client.unwrap();
                // Without a server, the client sees the end of its connection.
                let Ok(server) = TcpStream::connect(("127.0.0.1", server)) else { continue };
                let (back, forth) = (server.try_clone().unwrap(), client.try_clone().unwrap());
                connections.lock().unwrap().push(client.try_clone().unwrap());
                let (swallows, answers) = (Arc::clone(&swallows), Arc::clone(&answers));
                let (holds, never) = (Arc::clone(&holds), Arc::clone(&never));
                let (swallowed, also) = (Arc::clone(&swallowed), Arc::clone(&swallowed));
                thread::spawn(move || pump(back, forth, &answers, &never, &swallowed));
                thread::spawn(move || pump(client, server, &swallows, &holds, &also));
            }
        });
        wire
    }

    /// Swallows what goes this way until so many bytes are lost, does `more`, and ends all connections. Returns whether so
    /// many were lost within some seconds: a client that is about to connect sends less.
    pub fn loses(&self, way: &AtomicBool, bytes: usize, more: impl FnOnce()) -> bool {
        let (before, begun) = (self.swallowed.load(SeqCst), Instant::now());
        let enough = || self.swallowed.load(SeqCst) >= before + bytes;
        way.store(true, SeqCst);
        while !enough() && begun.elapsed() < LOSING {
            lasting(Duration::from_millis(2));
        }
        more();
        self.cut();
        way.store(false, SeqCst);
        enough()
    }

    /// Ends all connections.
    pub fn cut(&self) {
        for connection in self.connections.lock().unwrap().drain(..) {
            let _ = connection.shutdown(Shutdown::Both); // the other side may have done it
        }
    }
}

fn pump(
    mut from: TcpStream,
    mut to: TcpStream,
    swallows: &AtomicBool,
    holds: &AtomicBool,
    swallowed: &AtomicUsize,
) {
    let mut buffer = [0; 1 << 16];
    // No connection loses a part and carries what is behind it.
    let mut is_over = false;
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        is_over |= swallows.load(SeqCst);
        if is_over || holds.load(SeqCst) {
            swallowed.fetch_add(length, SeqCst);
        }
        while holds.load(SeqCst) {
            lasting(Duration::from_millis(1));
        }
        is_over |= swallows.load(SeqCst);
        if is_over {
            continue;
        }
        if to.write_all(&buffer[..length]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Both); // the other side may have done it
}
