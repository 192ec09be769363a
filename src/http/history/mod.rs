//! The history of this process: what it signed each second, for the charts of the dashboard. The long term is the business of
//! Prometheus, which reads the same counters.

pub mod recorder;
mod ring;
pub mod shown;

pub use recorder::History;
