//! News from the database, and what comes of them.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
        mpsc::{Receiver, Sender, TryRecvError, channel},
    },
    time::Duration,
};

use actix_rt::time::timeout;
use signwave::{
    actors::{Ending, Mode, messages::Open},
    config::Roles,
    store::{Listener, StoreError},
};
use support::faulty::Method;

use crate::rig::{Rig, Running, SERVE};

type Heard = Result<bool, StoreError>;

/// Hears what the test says.
struct Scripted {
    said: Receiver<Heard>,
    heard: Arc<AtomicUsize>,
    _gone: Sender<()>,
}

/// The test's end of it.
struct Voice {
    say: Sender<Heard>,
    heard: Arc<AtomicUsize>,
    /// Its other end goes with the listener.
    gone: Receiver<()>,
}

impl Listener for Scripted {
    fn wait(&mut self, timeout: Duration) -> Heard {
        let Ok(said) = self.said.recv_timeout(timeout) else { return Ok(false) };
        self.heard.fetch_add(1, SeqCst);
        said
    }
}

/// A service that has looked at its database once, and would not look again within a minute.
async fn listening(rig: &mut Rig, roles: Roles) -> (Running, Voice) {
    (rig.settings.poll_interval, rig.settings.lease_ttl) =
        (Duration::from_secs(60), Duration::from_secs(600));
    let ((say, said), (_gone, gone), heard) = (channel(), channel(), Arc::<AtomicUsize>::default());
    let listener = Box::new(Scripted { said, heard: Arc::clone(&heard), _gone });
    let running = rig.start_listening(Mode::Serve(roles), listener);
    rig.until(|rig| rig.store.count(Method::OpenBatches) == 1).await;
    (running, Voice { say, heard, gone })
}

async fn soon(rig: &Rig, condition: impl Fn(&Rig) -> bool) {
    timeout(Duration::from_secs(50), rig.until(condition))
        .await
        .expect("it happens long before the next poll");
}

#[actix_rt::test]
async fn news_are_looked_at_at_once() {
    let mut rig = Rig::new(0, 2, 10);
    let (running, voice) = listening(&mut rig, Roles::Both).await;
    for round in 1..=3 {
        rig.insert(7);
        voice.say.send(Ok(true)).unwrap();
        soon(&rig, |rig| rig.progress.signed() == 7 * round).await;
    }
    assert_eq!(running.stopped().await, Ok(Ending::Stopped));
    rig.check_all_signed();
}

#[actix_rt::test]
async fn an_error_does_not_end_the_listening() {
    let mut rig = Rig::new(0, 2, 10);
    let (running, voice) = listening(&mut rig, Roles::Both).await;
    for _ in 0..3 {
        voice.say.send(Err(StoreError::Unavailable("the server went away".into()))).unwrap();
    }
    rig.insert(7);
    voice.say.send(Ok(true)).unwrap();
    soon(&rig, |rig| rig.progress.signed() == 7).await;
    running.stopped().await.unwrap();
    rig.check_all_signed();
}

#[actix_rt::test]
async fn many_news_at_once_are_one_look_more() {
    let mut rig = Rig::new(0, 2, 10);
    let (running, voice) = listening(&mut rig, Roles::Both).await;
    let mut look = rig.script.hold::<Open>(1);
    voice.say.send(Ok(true)).unwrap();
    look.arrived().await;
    // They are heard while Emit looks.
    (0..1000).for_each(|_| voice.say.send(Ok(true)).unwrap());
    soon(&rig, |_| voice.heard.load(SeqCst) == 1001).await;
    look.go_on();
    rig.insert(7);
    voice.say.send(Ok(true)).unwrap();
    soon(&rig, |rig| rig.progress.signed() == 7).await;
    running.stopped().await.unwrap();
    let looks = rig.store.count(Method::OpenBatches);
    assert!(looks < 50, "{looks} looks");
    rig.check_all_signed();
}

#[actix_rt::test]
async fn the_listener_is_gone_with_the_run() {
    let mut rig = Rig::new(0, 2, 10);
    let (running, voice) = listening(&mut rig, Roles::Both).await;
    running.stopped().await.unwrap();
    assert_eq!(voice.gone.try_recv(), Err(TryRecvError::Disconnected));
}

#[actix_rt::test]
async fn an_emitter_ends_the_linger_of_an_incomplete_batch_however_rare_its_polls() {
    let mut rig = Rig::new(10, 2, 10);
    rig.settings.linger = Duration::from_millis(1);
    let (running, voice) = listening(&mut rig, Roles::Emit).await;
    rig.insert(5);
    voice.say.send(Ok(true)).unwrap();
    soon(&rig, |rig| rig.store.count(Method::OpenBatches) >= 2).await;
    assert_eq!(rig.batches().len(), 1, "something is open: the rest may wait for more");
    rig.advance(Duration::from_secs(1));
    soon(&rig, |rig| rig.batches().len() == 2).await;
    running.stopped().await.unwrap();
}

/// A database that does not answer for a while.
struct Hanging;

impl Listener for Hanging {
    fn wait(&mut self, _: Duration) -> Heard {
        support::waiting::lasting(Duration::from_secs(120));
        Ok(false)
    }
}

#[actix_rt::test]
async fn a_listener_that_hangs_does_not_hold_up_the_end_of_a_run() {
    let rig = Rig::new(0, 2, 10);
    let running = rig.start_listening(SERVE, Box::new(Hanging));
    rig.until(|rig| rig.store.count(Method::OpenBatches) == 1).await;
    let begun = std::time::Instant::now();
    running.stopped().await.unwrap();
    assert!(begun.elapsed() < Duration::from_secs(60), "{:?}", begun.elapsed());
}
