//! Signatures out. What the topic has is what counts: each signature by its id, in the order of the feed.

mod arrives;
mod kills;
mod refusals;
