//! Records in.

mod between;
mod kills;
mod messages;
mod reach;
mod sharing;
