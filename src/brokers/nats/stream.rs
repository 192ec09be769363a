//! A stream that keeps what it acknowledges, as far as a client can see that.

use async_nats::jetstream::{
    Context,
    stream::{PersistenceMode, StorageType, Stream},
};

use super::connecting::said;
use crate::{brokers::BrokerError, formats::shown::field};

/// Finds a stream. It must be in files, and must not be one that acknowledges before it writes. How often its server syncs
/// these files is shown to no client: an operator sees it at the server's monitoring port (`/jsz`, `config.sync_always`).
/// Servers before 2.10 have no choice, so that there is a warning for these.
///
/// # Errors
/// That there is none, or why it would not keep what it acknowledges.
pub async fn durable_stream(context: &Context, name: &str) -> Result<Stream, BrokerError> {
    let stream = context.get_stream(name).await.map_err(|error| said(&error))?;
    let config = &stream.cached_info().config;
    let flaw = if config.storage == StorageType::Memory {
        "is in memory: make one with the storage 'file'"
    } else if config.persist_mode == Some(PersistenceMode::Async) {
        "acknowledges messages before it writes them: make one with the persist mode 'default'"
    } else {
        let client = context.client();
        if config.num_replicas < 2 && !client.is_server_compatible(2, 10, 0) {
            let version = field(&client.server_info().version);
            log::warn!(
                "NATS {version} syncs its files once a minute: a loss of power undoes what {name} has acknowledged since"
            );
        }
        return Ok(stream);
    };
    Err(said(&format_args!("the stream {name} {flaw}")))
}
