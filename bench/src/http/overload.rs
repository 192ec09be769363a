//! Overload: four times as many clients as use up the service. One that is refused sends its next request at once.

use std::{thread, time::Duration};

use anyhow::Result;

use super::{
    client::{Measured, percentile},
    service::Place,
    submit::requests,
};
use crate::{
    figure::{Figure, Goal},
    lab::Lab,
};

/// Connections that use up the service.
const CONNECTIONS: usize = 64;
/// Connections that overload it.
const TOO_MANY: usize = 4 * CONNECTIONS;
/// How long the rate of [`CONNECTIONS`] is measured, before and after.
const CAPACITY: Duration = Duration::from_secs(10);
/// The statuses of a request that is refused because of too many others.
const REFUSALS: [u16; 2] = [429, 503];
const OVERLOAD: Duration = Duration::from_secs(60);
/// How soon after the end the service must be as it was before, and how long a single connection looks whether it is.
const SOON: Duration = Duration::from_secs(1);
const LOOK: Duration = Duration::from_secs(2);

/// The figures of an overload by records that are sent one by one.
pub fn overload(lab: &Lab, repeat: u16) -> Result<Vec<Figure>> {
    let (mut goodput, mut refused, mut memory, mut after) = (vec![], vec![], vec![], vec![]);
    for round in 1..=repeat {
        let place = Place::new(lab, 1)?;
        let service = place.serve(&["--roles", "emit"])?;
        let next = requests(&place, service.address)?;
        let capacity = || Measured::of(&service, CONNECTIONS, CAPACITY, 201, &next);
        let alone = || Measured::of(&service, 1, LOOK, 201, &next);
        let (before, idle, resident) = (capacity()?, alone()?, service.resident_kib()? / 1024.0);
        let pressed = Measured::with_refusals(&REFUSALS, &service, TOO_MANY, OVERLOAD, 201, &next)?;
        let (stored, others) = (pressed.times.len(), pressed.refused);
        let peak = service.peak_mib()?;
        thread::sleep(SOON);
        let (idle_again, again) = (alone()?, capacity()?);
        let [before, again] =
            [before, again].map(|measured| measured.times.len() as f64 / CAPACITY.as_secs_f64());
        let (capacity, rate) = ((before + again) / 2.0, stored as f64 / OVERLOAD.as_secs_f64());
        log::info!(
            "overload, round {round}: {rate:.0}/s stored of {before:.0}/s before and {again:.0}/s after, {others} refused"
        );
        goodput.push(rate / capacity);
        refused.push(others as f64 / (stored + others) as f64);
        memory.push(peak - resident);
        after.push(percentile(&idle_again.times, 50) / percentile(&idle.times, 50));
    }
    let name = format!("{TOO_MANY} connections: records stored ÷ those of {CONNECTIONS}");
    Ok(vec![
        Figure::new(name, Some(Goal::AtLeast(0.9)), goodput),
        Figure::new("· part of the requests that is refused", None, refused),
        Figure::new("· MiB more at the peak", Some(Goal::AtMost(64.0)), memory),
        Figure::new("· ms of one request, 1 s after the end ÷ before", Some(Goal::AtMost(1.2)), after),
    ])
}
