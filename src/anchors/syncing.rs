//! The thread that syncs what no commit has synced.

use std::{
    io,
    sync::{Arc, PoisonError},
    thread::{self, JoinHandle},
    time::Duration,
};

use super::shared::{Files, Shared};

/// How long a line may be in memory only.
const SOON: Duration = Duration::from_millis(100);

/// The thread, which ends when this is dropped. Then everything was synced once more.
pub(super) struct Syncing {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Syncing {
    pub(super) fn start(shared: &Arc<Shared>) -> io::Result<Self> {
        let theirs = Arc::clone(shared);
        let thread = thread::Builder::new().name("anchors".to_owned()).spawn(move || run(&theirs))?;
        Ok(Self { shared: Arc::clone(shared), thread: Some(thread) })
    }
}

impl Drop for Syncing {
    fn drop(&mut self) {
        self.shared.files().is_over = true;
        self.shared.wake.notify_one();
        // A panic of the thread was reported when it happened.
        let _: Option<thread::Result<()>> = self.thread.take().map(JoinHandle::join);
    }
}

fn run(shared: &Shared) {
    let is_idle = |files: &mut Files| !files.is_dirty && !files.is_over;
    let goes_on = |files: &mut Files| !files.is_over;
    loop {
        let files = shared.wake.wait_while(shared.files(), is_idle).unwrap_or_else(PoisonError::into_inner);
        let waited = shared.wake.wait_timeout_while(files, SOON, goes_on);
        let (mut files, _) = waited.unwrap_or_else(PoisonError::into_inner);
        if files.is_dirty {
            files.sync();
        }
        if files.is_over {
            return;
        }
    }
}
