//! `GET /v1/history`.

use std::{
    str::FromStr,
    time::{Duration, SystemTime},
};

use actix_web::{HttpResponse, web::Data};
use humantime::format_rfc3339_millis;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    recorder::{Range, Shown},
    ring::Step,
};
use crate::{
    actors::clock::time_of_day,
    http::{
        answer,
        app::App,
        names::HistoryRangeName,
        problem::Problem,
        query::{NotAnId, Query, parsed},
    },
};

/// Which part of the history.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Part {
    /// `10m` in seconds, `1h` in steps of 5 seconds, or `24h` in minutes; usually `10m`.
    #[serde(default, deserialize_with = "parsed")]
    #[param(value_type = Option<HistoryRangeName>)]
    range: Option<Range>,
}

impl Range {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::TenMinutes, Self::Hour, Self::Day];

    /// The name in requests and answers.
    pub fn name(self) -> &'static str {
        match self {
            Self::TenMinutes => "10m",
            Self::Hour => "1h",
            Self::Day => "24h",
        }
    }
}

impl FromStr for Range {
    type Err = NotAnId;

    fn from_str(text: &str) -> Result<Self, NotAnId> {
        Self::ALL.into_iter().find(|range| range.name() == text).ok_or(NotAnId)
    }
}

/// What the process that answers has signed.
#[derive(Serialize, ToSchema)]
#[schema(as = RunHistory)]
pub struct HistoryBody {
    /// The range that was asked for.
    #[schema(value_type = HistoryRangeName)]
    range: &'static str,
    /// How long each step is.
    step_seconds: u64,
    /// The steps, the oldest first. There is none from before the process was started. The last one is still going on.
    points: Vec<Point>,
}

/// A step of time.
#[derive(Serialize, ToSchema)]
#[schema(as = RunHistoryPoint)]
struct Point {
    /// When it began (RFC 3339), by the clock of the process.
    at: String,
    /// Records that this process signed and stored in it.
    signed: u64,
    /// The part of it for which the signing threads were signing: 1 is all of it. `null` where nothing is signed.
    busy: Option<f64>,
    /// How many records of the database waited; `null` if the status was not read then.
    backlog: Option<u64>,
}

impl HistoryBody {
    /// What is `shown` by a process with so many signing threads, at this time of its clock.
    fn new(range: Range, shown: &Shown, threads: usize, now: SystemTime) -> Self {
        let point = |&(ago, Step { signed, busy, backlog }): &(Duration, Step)| {
            let lasted = ago.min(shown.length).as_secs_f64() * threads as f64;
            let busy = (lasted > 0.0).then(|| (busy.as_secs_f64() / lasted).min(1.0));
            let at =
                format_rfc3339_millis(now.checked_sub(ago).unwrap_or(SystemTime::UNIX_EPOCH)).to_string();
            Point { at, signed, busy, backlog }
        };
        let points = shown.steps.iter().map(point).collect();
        Self { range: range.name(), step_seconds: shown.length.as_secs(), points }
    }
}

/// What the process that answers has signed lately: for charts. The sum of `signed` over a range since its start is the
/// number of its signatures.
#[utoipa::path(
    get, path = "/v1/history", operation_id = "read_run_history", tag = "status", params(Part),
    responses((status = 200, description = "The history", body = HistoryBody))
)]
pub async fn history(app: Data<App>, Query(part): Query<Part>) -> Result<HttpResponse, Problem> {
    let range = part.range.unwrap_or(Range::TenMinutes);
    let (shown, threads) = (app.history().shown(range), app.parts().signing_threads());
    Ok(answer::ok(&HistoryBody::new(range, &shown, threads, time_of_day())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_its_name() {
        for range in Range::ALL {
            assert_eq!(range.name().parse(), Ok(range));
        }
        assert!("2h".parse::<Range>().is_err());
    }

    #[test]
    fn a_step_is_shown_with_when_it_began_and_how_busy_it_was() {
        let step = |signed, millis, backlog| Step { signed, busy: Duration::from_millis(millis), backlog };
        let shown = Shown {
            length: Duration::from_secs(5),
            steps: vec![
                (Duration::from_millis(7500), step(3, 7500, None)),
                (Duration::from_millis(2500), step(4, 9000, Some(2))),
                (Duration::ZERO, step(0, 0, None)),
            ],
        };
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(86_400);
        let body = HistoryBody::new(Range::Hour, &shown, 2, now);
        assert_eq!((body.range, body.step_seconds), ("1h", 5));
        let points: Vec<_> = body
            .points
            .iter()
            .map(|point| (point.at.as_str(), point.signed, point.busy, point.backlog))
            .collect();
        let expected = [
            ("1970-01-01T23:59:52.500Z", 3, Some(0.75), None),
            ("1970-01-01T23:59:57.500Z", 4, Some(1.0), Some(2)),
            ("1970-01-02T00:00:00.000Z", 0, None, None),
        ];
        assert_eq!(points, expected);
        assert_eq!(HistoryBody::new(Range::Hour, &shown, 0, now).points[0].busy, None);
    }
}
