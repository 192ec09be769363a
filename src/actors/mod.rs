//! Layer 3, the motion: an actor for each independent activity.
//!
//! ```text
//!  record ──▶ Emit ──▶ Ingest ──▶ Supervisor ──▶ KeyActor × k ──▶ signing threads
//!              │          │ ▲                        │   ▲               │
//!              │          │ └────── signed ──────────┘   └───────────────┘
//!              ▼          ▼
//!             DbExecutor (every transaction)  ◀── Heartbeat (the node's lease, the dead)
//! ```
//!
//! Start with [`service`], which connects the actors, and [`messages`], which they exchange.

pub mod call;
pub mod clock;
pub mod commits;
pub mod counters;
pub mod db;
pub mod db_executor;
pub mod emit;
pub mod end;
pub mod events;
pub mod group_commit;
pub mod heartbeat;
pub mod ingest;
pub mod intake;
pub mod key_actor;
pub mod listening;
pub mod messages;
pub mod mode;
pub mod news;
pub mod outage;
pub mod parts;
mod patience;
pub mod pools;
mod sequencing;
pub mod service;
pub mod share;
mod signing_key;
pub mod signing_pool;
mod speed;
pub mod standing;
pub mod stop;
pub mod supervisor;
pub mod timing;
pub mod vitals;
pub mod workload;

pub use call::Call;
pub use commits::{Commits, Committed};
pub use counters::Counters;
pub use end::RunError;
pub use events::{Event, Events};
pub use mode::Mode;
pub use news::News;
pub use parts::Parts;
pub use service::{Ending, run, run_beside, transactions};
pub use stop::Stop;
pub use timing::{Timing, Timings};
pub use vitals::Vitals;
