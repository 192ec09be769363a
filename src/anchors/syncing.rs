//! The thread that syncs what no commit has synced.

use std::{
    io,
    sync::{Arc, PoisonError},
    thread::{self, JoinHandle},
    time::Duration,
};

use super::state::{Shared, State};

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
        self.shared.state().is_over = true;
        self.shared.wake.notify_one();
        // A panic of the thread was reported when it happened.
        let _: Option<thread::Result<()>> = self.thread.take().map(JoinHandle::join);
    }
}

fn run(shared: &Shared) {
    let is_idle = |state: &mut State| !state.is_dirty && !state.is_over;
    let goes_on = |state: &mut State| !state.is_over;
    loop {
        let state = shared.wake.wait_while(shared.state(), is_idle).unwrap_or_else(PoisonError::into_inner);
        let waited = shared.wake.wait_timeout_while(state, SOON, goes_on);
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        if state.is_dirty {
            state.sync();
        }
        if state.is_over {
            return;
        }
    }
}
