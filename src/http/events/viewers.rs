//! Viewers: who looks at the events. One feed serves all of them, and ends after the last one.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
};

use tokio::sync::broadcast::{Receiver, Sender};

use super::frame::Frame;

/// How many frames a viewer may be behind before it misses some.
const BEHIND: usize = 64;

/// Who looks at the events. Clones share one state.
#[derive(Clone)]
pub struct Viewers(Arc<Shared>);

struct Shared {
    run: u32,
    frames: Sender<Frame>,
    count: AtomicUsize,
    is_fed: AtomicBool,
}

impl Default for Viewers {
    fn default() -> Self {
        let mut random = [0; 4];
        // Without random bytes, a client that reconnects to a new process may get old events, or miss some.
        let _ = rustix::rand::getrandom(&mut random, rustix::rand::GetRandomFlags::NONBLOCK);
        Self(Arc::new(Shared {
            run: u32::from_ne_bytes(random),
            frames: Sender::new(BEHIND),
            count: AtomicUsize::new(0),
            is_fed: AtomicBool::new(false),
        }))
    }
}

/// One who looks, until it is dropped.
pub struct Viewer(Arc<Shared>);

impl Viewers {
    /// A number that tells the events of this process from those of others.
    pub fn run(&self) -> u32 {
        self.0.run
    }

    /// Adds a viewer.
    pub fn add(&self) -> (Viewer, Receiver<Frame>) {
        self.0.count.fetch_add(1, SeqCst);
        (Viewer(Arc::clone(&self.0)), self.0.frames.subscribe())
    }

    /// Whether the caller must start a feed, because none runs. To be called after [`Viewers::add`].
    pub fn must_feed(&self) -> bool {
        !self.0.is_fed.swap(true, SeqCst)
    }

    /// Whether the feed must end, because no viewer is left. The next viewer starts another.
    pub fn may_end(&self) -> bool {
        if self.0.count.load(SeqCst) > 0 {
            return false;
        }
        self.0.is_fed.store(false, SeqCst);
        // A viewer may have come in between and found a feed: then this one goes on, unless the viewer's own runs.
        self.0.count.load(SeqCst) == 0 || self.0.is_fed.swap(true, SeqCst)
    }

    /// Sends a frame to every viewer.
    pub fn send(&self, frame: Frame) {
        // No viewer may be left, so an error is fine.
        drop(self.0.frames.send(frame));
    }
}

impl Drop for Viewer {
    fn drop(&mut self) {
        self.0.count.fetch_sub(1, SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_viewer_starts_the_feed_and_it_ends_with_the_last() {
        let viewers = Viewers::default();
        let (first, mut frames) = viewers.add();
        assert!(viewers.must_feed());
        let (second, _) = viewers.add();
        assert!(!viewers.must_feed(), "one feed is enough");
        viewers.send(Frame::passing("status", &1));
        assert_eq!(frames.try_recv().map(|frame| frame.kind), Ok("status"));
        drop(first);
        assert!(!viewers.may_end());
        drop(second);
        assert!(viewers.may_end());
        let _third = viewers.add();
        assert!(viewers.must_feed());
    }
}
