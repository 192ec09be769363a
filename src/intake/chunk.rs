//! Gathers the messages of one transaction.

use super::broker::{Message, Session};
use crate::brokers::BrokerError;

/// Messages in one transaction, at most.
const CHUNK_MESSAGES: usize = 1000;

/// Bytes after which a chunk is full.
const CHUNK_BYTES: usize = 4 << 20;

/// Waits for a message, and takes those behind it that have arrived already. No timer: while one chunk is stored, the
/// next one arrives.
pub async fn gather(session: &mut impl Session) -> Result<Vec<Message>, BrokerError> {
    let first = session.next().await?;
    let mut bytes = first.body.len();
    let mut chunk = vec![first];
    while chunk.len() < CHUNK_MESSAGES && bytes < CHUNK_BYTES {
        let Some(message) = session.ready()? else { break };
        bytes += message.body.len();
        chunk.push(message);
    }
    Ok(chunk)
}
