//! Panics that nobody planned. A task that panics ends without a word, and the simulation goes on: each is
//! noted, on its thread, and fails the run. Planned ones unwind without the hook.

use std::{cell::RefCell, panic, sync::Once};

thread_local! {
    static NOTED: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// Notes the panics of all threads from now on, instead of printing them.
pub fn note() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            if !is_simulated() {
                before(panic);
            }
            let _ = NOTED.try_with(|noted| noted.borrow_mut().push(panic.to_string()));
        }));
    });
    NOTED.with(|noted| noted.borrow_mut().clear());
}

/// Whether a runtime is at work here: all of those are the simulation's.
fn is_simulated() -> bool {
    tokio::runtime::Handle::try_current().is_ok()
}

/// What was noted on this thread.
pub fn noted() -> Vec<String> {
    NOTED.with(|noted| std::mem::take(&mut *noted.borrow_mut()))
}

pub fn any() -> bool {
    NOTED.with(|noted| !noted.borrow().is_empty())
}

/// A panic that is part of the plan.
pub fn planned() -> ! {
    panic::resume_unwind(Box::new("as planned".to_owned()))
}
