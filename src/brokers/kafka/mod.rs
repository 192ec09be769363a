//! Kafka: where a cluster is, a client of it, and a topic that can be used. Of TLS and logins nothing is built in.

mod client;
mod cluster;
mod context;
mod topic;

pub use client::{Client, beside, said};
pub use cluster::{ANSWERING, Cluster, Turn};
pub use context::Context;
pub use topic::{check_group, check_header, check_topic, find_topic};
