//! Layer 3, the motion: an actor for each thing that goes on by itself.
//!
//! ```text
//!  record ──▶ Emit ──▶ Ingest ──▶ Supervisor ──▶ KeyActor × k ──▶ signing threads
//!              │          │ ▲                        │   ▲               │
//!              │          │ └────── signed ──────────┘   └───────────────┘
//!              ▼          ▼
//!             DbExecutor (every transaction)  ◀── Heartbeat (the node's lease, the dead)
//! ```
//!
//! Start with [`service`], which puts them together; [`messages`] is what they say.

pub mod clock;
pub mod db;
pub mod db_executor;
pub mod emit;
pub mod end;
pub mod group_commit;
pub mod heartbeat;
pub mod ingest;
pub mod key_actor;
pub mod listening;
pub mod messages;
pub mod outage;
mod patience;
pub mod progress;
pub mod service;
mod signing_key;
pub mod signing_pool;
pub mod standing;
pub mod stop;
pub mod supervisor;
pub mod workload;

pub use end::RunError;
pub use progress::Progress;
pub use service::{Ending, Mode, run};
pub use stop::Stop;
