//! The loop of the intake over a broker and a database that do as a script says.

use std::{
    collections::{BTreeSet, VecDeque},
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use signwave::{
    actors::{News, Stop, db_executor::DbExecutor},
    brokers::BrokerError,
    intake::{Broker, Counters, Links, Message, Options, Position, Service, Session},
    store::{Store, StoreError},
};
use support::{
    faulty::{Fault, FaultyStore, Method},
    memory::MemoryStore,
};
use tokio::time::{interval, timeout};

/// A broker in memory. A message that is not acknowledged comes again in the next session, under another number.
#[derive(Clone)]
struct Script(Arc<Mutex<Queue>>);

#[derive(Default)]
struct Queue {
    waiting: VecDeque<(String, Bytes)>,
    sessions: usize,
    /// Fails the next acknowledgements, before or after they took effect.
    failing: VecDeque<Failing>,
    /// The rows that the database had when each acknowledgement came, and how many different messages were acknowledged
    /// until then.
    settled: Vec<(u64, usize)>,
    acknowledged: usize,
    different: BTreeSet<(String, Bytes)>,
}

#[derive(Clone, Copy, PartialEq)]
enum Failing {
    Before,
    After,
}

struct Line {
    script: Script,
    store: Arc<dyn Store>,
    /// What was handed out and not acknowledged, with its number.
    out: VecDeque<(u64, (String, Bytes))>,
    last: u64,
}

struct Scripted {
    script: Script,
    store: Arc<dyn Store>,
}

impl Broker for Scripted {
    type Session = Line;

    fn source(&self) -> &str {
        "script:queue"
    }

    async fn connect(&self) -> Result<Line, BrokerError> {
        self.script.0.lock().unwrap().sessions += 1;
        let (script, store) = (self.script.clone(), Arc::clone(&self.store));
        Ok(Line { script, store, out: VecDeque::new(), last: 0 })
    }
}

impl Session for Line {
    async fn next(&mut self) -> Result<Message, BrokerError> {
        let mut ticks = interval(Duration::from_millis(1));
        loop {
            if let Some(message) = self.ready()? {
                return Ok(message);
            }
            ticks.tick().await;
        }
    }

    fn ready(&mut self) -> Result<Option<Message>, BrokerError> {
        let mut queue = self.script.0.lock().unwrap();
        let Some((id, body)) = queue.waiting.pop_front() else { return Ok(None) };
        self.last += 1;
        self.out.push_back((self.last, (id.clone(), body.clone())));
        Ok(Some(Message { position: Position(self.last), id: Some(id), body }))
    }

    async fn settle(&mut self, last: Position) -> Result<(), BrokerError> {
        let rows = self.store.counts().unwrap().records + self.store.status().unwrap().refused;
        let mut queue = self.script.0.lock().unwrap();
        let failing = queue.failing.pop_front();
        if failing != Some(Failing::Before) {
            while let Some((number, message)) = self.out.pop_front() {
                if number > last.0 {
                    self.out.push_front((number, message));
                    break;
                }
                queue.acknowledged += 1;
                queue.different.insert(message);
            }
            let different = queue.different.len();
            queue.settled.push((rows, different));
        }
        failing.map_or(Ok(()), |_| Err(BrokerError("the session is lost".to_owned())))
    }

    async fn close(self) {}
}

impl Drop for Line {
    /// What was not acknowledged goes back, in its order.
    fn drop(&mut self) {
        let mut queue = self.script.0.lock().unwrap();
        while let Some((_, message)) = self.out.pop_back() {
            queue.waiting.push_front(message);
        }
    }
}

/// Runs the intake until so many messages are acknowledged; returns the queue and the counters.
fn run(
    store: FaultyStore,
    messages: &[(&str, &str)],
    failing: &[Failing],
) -> (Queue, Arc<Counters>, Arc<dyn Store>) {
    let store: Arc<dyn Store> = Arc::new(store);
    let waiting =
        messages.iter().map(|(id, body)| ((*id).to_owned(), Bytes::copy_from_slice(body.as_bytes())));
    let queue = Queue { waiting: waiting.collect(), failing: failing.to_vec().into(), ..Queue::default() };
    let script = Script(Arc::new(Mutex::new(queue)));
    let counters: Arc<Counters> = Arc::default();
    let (stop, all) = (Stop::default(), messages.len());
    actix_rt::System::new().block_on(async {
        let links = Links {
            db: DbExecutor::start(&store, 1),
            news: News::default(),
            stop: stop.clone(),
            counters: Arc::clone(&counters),
        };
        let broker = Scripted { script: script.clone(), store: Arc::clone(&store) };
        let service = actix_rt::spawn(Service::new(broker, Options::default(), links).run());
        let done = async {
            let mut ticks = interval(Duration::from_millis(1));
            while script.0.lock().unwrap().acknowledged < all {
                ticks.tick().await;
            }
        };
        timeout(Duration::from_secs(90), done).await.expect("all are acknowledged");
        stop.request();
        service.await.unwrap();
    });
    let queue = std::mem::take(&mut *script.0.lock().unwrap());
    assert!(queue.waiting.is_empty());
    for (rows, acknowledged) in &queue.settled {
        assert!(*rows >= *acknowledged as u64, "acknowledged before it was stored: {:?}", queue.settled);
    }
    (queue, counters, store)
}

const FOUR: [(&str, &str); 4] = [("a", "1"), ("b", "2"), ("c", "3"), ("d", "4")];

fn faulty(faults: impl IntoIterator<Item = Fault>) -> FaultyStore {
    let store = FaultyStore::new(Arc::new(MemoryStore::new()));
    for (nth, fault) in (1..).zip(faults) {
        store.fail(Method::InsertArrivals, nth, fault);
    }
    store
}

fn busy() -> Fault {
    Fault::NotPersisted(StoreError::Busy)
}

#[test]
fn nothing_is_acknowledged_before_it_is_stored() {
    let (queue, counters, store) = run(faulty([busy(), busy()]), &FOUR, &[]);
    assert_eq!((queue.sessions, queue.settled.len()), (1, 1), "one chunk in one session");
    assert_eq!((store.counts().unwrap().records, counters.stored(), counters.acknowledged()), (4, 4, 4));
}

#[test]
fn a_lost_reply_to_a_commit_doubles_nothing() {
    let (_, counters, store) = run(faulty([Fault::Persisted, Fault::Persisted]), &FOUR, &[]);
    assert_eq!((store.counts().unwrap().records, counters.stored(), counters.repeated()), (4, 0, 4));
}

#[test]
fn a_lost_acknowledgement_doubles_nothing_and_the_numbers_of_a_session_mean_nothing_in_the_next() {
    let (queue, counters, store) = run(faulty([]), &FOUR, &[Failing::Before, Failing::Before]);
    assert_eq!((queue.sessions, store.counts().unwrap().records), (3, 4));
    assert_eq!((counters.stored(), counters.repeated(), counters.acknowledged()), (4, 8, 4));
    let (queue, _, store) = run(faulty([]), &FOUR, &[Failing::After]);
    assert_eq!((queue.acknowledged, store.counts().unwrap().records), (4, 4));
}

#[test]
fn what_is_refused_is_acknowledged_with_the_others() {
    let messages = [("a", "1"), ("", "no name"), ("a", "another"), ("b", "2"), ("a", "1")];
    let (_, counters, store) = run(faulty([busy(), Fault::Persisted]), &messages, &[Failing::Before]);
    assert_eq!((store.counts().unwrap().records, store.status().unwrap().refused), (2, 2));
    assert_eq!(counters.acknowledged(), 5);
}

#[test]
fn a_panic_in_the_database_thread_loses_nothing() {
    let panics = Fault::First(Box::new(|| panic!("as planned")));
    let (_, _, store) = run(faulty([panics]), &FOUR, &[]);
    assert_eq!(store.counts().unwrap().records, 4);
}
