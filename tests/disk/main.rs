//! What the operating system and the disk can do to SQLite: system calls that fail, power that goes
//! away, a disk that is full.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod faults;
mod full;
mod platter;
mod power;
mod trace;

/// Says what a test was at when it panicked.
struct Named(String);

impl Drop for Named {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("that was {}", self.0);
        }
    }
}
