//! `signwave serve`: the service.

use std::{collections::BTreeSet, sync::Arc};

use anyhow::{Result, bail};
use clap::Args;

use super::{
    context::Context,
    entrance::Entrance,
    failure::Usage,
    given::Given,
    listening,
    options::ServeOptions,
    run::{Api, Beside, Run, run_beside, system},
    schemes,
};
use crate::{
    actors::{Mode, Parts, Stop, outage::Outage},
    config::{Roles, Settings},
    intake, publishing,
    signer::{Keyring, MasterKeys},
    store::{DatabaseUrl, StoreError},
};

/// Run the service: sign records as they come, until stopped.
#[derive(Args, Debug)]
#[command(after_help = "\
Makes the database if there is none, and waits for a PostgreSQL server that is not up yet. Records
that any program inserts into the table 'record' are signed within a second.

On SIGINT or SIGTERM, the service finishes and stores the batches that are being signed (see
--stop-grace), gives back all others and exits with code 0. A second signal, at least a second
later, gives back the unfinished batches, too. A third signal ends the process at once.

The HTTP API listens at 127.0.0.1:7446, unless another program does. 'signwave tokens create'
makes a token for it, and /docs/ is its reference. At / is the dashboard. On a terminal, the service
prints a link that signs in. Where other machines can connect, the API needs a certificate, or
--plain-http.

With --intake, the service takes messages from a queue of RabbitMQ (amqp://, amqps://), a consumer
of NATS JetStream (nats://, tls://) or a topic of Kafka (kafka://, in builds with the feature
'kafka'), stores them as records and then acknowledges them. A message is known by its message_id,
Nats-Msg-Id or header ce_id. Options behind the '?' of the address:
  queue=NAME         RabbitMQ: the queue, which must exist
  stream=NAME&consumer=NAME
                     NATS: the consumer, which must exist, and be durable and explicit
  topic=NAME&group=NAME
                     Kafka: the topic, which must exist, and the group that shares its partitions
  id=HEADER          Kafka: the header that names messages, instead of ce_id
  prefetch=N         messages in memory, at most: 2000 unless given; not for Kafka
  body=json          bodies are objects as 'signwave import' reads them, not payloads
  without-id=accept  take messages without an id, too
  ca=FILE            certificates to trust: with amqps:// besides those of the system, with tls://
                     instead of them
What cannot become a record is kept apart with its reason: see 'signwave refused'.

With --publish, the service sends the signatures to RabbitMQ, NATS or Kafka, in the order of the
feed: a CloudEvent for each 64 KiB of rows as 'signwave export' writes them. It keeps its position
in the database once the broker has confirmed everything up to it. After a failure some messages
come again with the same id, but not to a stream of NATS, which refuses them. One node at a time
publishes to a destination. Options of the address:
  queue=NAME         RabbitMQ: the queue, which must exist, or instead of it
  exchange=NAME&routing-key=KEY
  stream=NAME&subject=NAME
                     NATS: a subject of a stream, which must exist
  topic=NAME         Kafka: the topic, which must exist; messages go to partition 0
  from=now           a new destination begins at the end of the feed, instead of at its beginning
  name=NAME          keep the position under this name, so that the address can change
  ca=FILE            as above

Several processes may serve one database. With --roles, some processes form batches, and others,
which have the master key, sign them.

Examples:
  signwave serve
  signwave serve --listen unix:/run/signwave/api.sock
  signwave serve --listen 0.0.0.0:7446 --tls-certificate server.pem --tls-key server.key
  signwave serve --roles emit
  SIGNWAVE_INTAKE='amqp://USER:PASSWORD@HOST/?queue=orders' signwave serve
  SIGNWAVE_INTAKE='nats://USER:PASSWORD@HOST?stream=ORDERS&consumer=signwave' signwave serve
  SIGNWAVE_PUBLISH='amqp://USER:PASSWORD@HOST/?queue=signatures' signwave serve
  signwave serve --batch-size 100 --log-format json")]
pub struct Serve {
    #[command(flatten)]
    serving: Given<ServeOptions>,
    #[command(flatten)]
    signing: Given<Settings>,
}

impl Serve {
    /// Runs the command.
    pub fn run(&self, context: &Context) -> Result<()> {
        let settings = context.signing(&self.signing)?;
        let options = context.serve(&self.serving);
        let (intake, publish) = brokers(&options)?;
        let (roles, server) = (options.roles, listening::bind(&options)?);
        let entrance = server.as_ref().and_then(Entrance::to);
        let stop = Stop::default();
        let opened = when_up(&context.url()?, &stop, || {
            let database = context.create_anchored(&settings.anchor)?;
            let keyring = if roles.signs() {
                schemes::check(&database, settings.scheme)?;
                context.keyring(&database, settings.signer)?
            } else {
                Keyring::of(settings.signer, MasterKeys::default()) // it opens no key
            };
            Ok((database, Arc::new(keyring)))
        })?;
        let Some((database, keyring)) = opened else {
            log::info!("stopped; the database was never reached");
            return Ok(());
        };
        let work = work(roles, &settings);
        log::info!("serving {} as '{}': {work}; Ctrl-C stops", database.url, settings.node_name);
        let custodians = Arc::new(context.custodians(Arc::clone(&keyring), settings.signer));
        let parts = Parts { stop, ..Parts::new(settings, custodians, Mode::Serve(roles)) };
        let (webhooks, heads) = (Some(Arc::clone(&keyring)), Some(Arc::clone(&keyring)));
        let api = server.map(|server| Api { server, keyring, entrance });
        let Run { counters, .. } =
            run_beside(context, &database, parts, Beside { api, intake, publish, webhooks, heads })?;
        log::info!("stopped; signed {} records in {} batches", counters.signed(), counters.batches());
        Ok(())
    }
}

/// Where messages come from, and where signatures are published.
fn brokers(options: &ServeOptions) -> Result<(Option<intake::Address>, Vec<publishing::Address>)> {
    let intake = options.intake.as_ref().map(|address| address.0.parse()).transpose();
    let intake = intake.map_err(|error| Usage(format!("the address of the intake {error}")))?;
    let publish = options.publish.iter().map(|address| address.0.parse()).collect::<Result<Vec<_>, _>>();
    let publish = publish.map_err(|error| Usage(format!("the address of a publisher {error}")))?;
    let names: BTreeSet<_> = publish.iter().map(publishing::Address::to_string).collect();
    if names.len() < publish.len() {
        bail!(Usage(
            "two publishers have the same destination or name: leave one out, or change its name".into()
        ));
    }
    Ok((intake, publish))
}

/// Retries `attempt` while the server is not up, as when a machine boots, and while the database is older than its anchors.
/// Returns `None` if a signal ends the retries. Any other error is returned at once, and so is any other error of an SQLite
/// database.
fn when_up<T>(url: &DatabaseUrl, stop: &Stop, mut attempt: impl FnMut() -> Result<T>) -> Result<Option<T>> {
    let (mut result, mut outage) = (attempt(), Outage::default());
    let waits = |error: StoreError| {
        matches!(url, DatabaseUrl::Postgres(_))
            || matches!(error, StoreError::Behind(_) | StoreError::AnchorAway(_))
    };
    if !outage_in(&result).is_some_and(waits) {
        return result.map(Some);
    }
    system()?.block_on(async {
        let signals = actix_rt::spawn(stop.clone().on_signals());
        while let Some(error) = outage_in(&result) {
            outage.note(&format!("open {url}"), &Err::<(), _>(error));
            if !outage.wait(stop).await {
                return Ok(None);
            }
            result = attempt();
        }
        signals.abort();
        result.map(Some)
    })
}

fn outage_in<T>(result: &Result<T>) -> Option<StoreError> {
    let error = result.as_ref().err()?.downcast_ref::<StoreError>()?;
    error.is_outage().then(|| error.clone())
}

/// What this process does, for the log.
fn work(roles: Roles, settings: &Settings) -> String {
    let Settings { batch_size, scheme, signers, .. } = settings;
    let emits = roles.emits().then(|| format!("batches of {batch_size}"));
    let signs = roles.signs().then(|| format!("{scheme}, {signers} signing threads"));
    emits.into_iter().chain(signs).collect::<Vec<_>>().join(", ")
}
