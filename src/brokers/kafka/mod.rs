//! Kafka: where a cluster is, a client of it, and a topic that can be used. Of TLS and logins nothing is built in.

mod client;
mod cluster;
mod context;
mod header;
mod topic;

pub use client::{Client, beside, ended, said};
pub use cluster::{ANSWERING, Cluster, Turn};
pub use context::Context;
pub use header::{EVENT_ID, last_header};
pub use topic::{check_printed, check_topic, find_topic};
