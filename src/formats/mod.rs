//! Layer 3, the texts that records come in and signatures go out in. The command line and the HTTP API share them.

pub mod bundle;
pub mod cloud_event;
pub mod feed;
pub mod rows;
pub mod shown;
pub mod signatures;
pub mod signed;
