//! How fast what people look for is found.

use domain::SignedDuration;
use runtime::clock::Clock;
use runtime::host::StartError;

use super::Bench;
use super::load::{self, percentile};
use super::report::Report;
use super::server::Server;

/// Distinct questions of a kind.
const QUESTIONS: usize = 240;
/// Asked before any is measured, so that caches and connections are warm.
const WARM_UP: usize = 60;
const CONNECTIONS: [usize; 2] = [1, 4];
/// Latitude and longitude of five towns, the two largest of the data among them.
const AROUND: [&str; 5] = ["45.76,4.83", "48.86,2.35", "45.77,4.88", "48.57,7.75", "43.60,1.44"];
const PLACES: [&str; 5] = ["Lyon", "Paris", "69", "Strasbourg", "Toulouse"];

/// What is asked, how fast the answers must be, and what each item of an answer begins with.
struct Kind {
    name: &'static str,
    aim_ms: f64,
    item: &'static str,
    paths: Vec<String>,
}

/// Asks every kind of question, alone and several at once.
pub(super) async fn measure(bench: &Bench, report: &mut Report) -> Result<(), StartError> {
    let server = Server::ready("search", &bench.config)?;
    for kind in kinds(bench).await? {
        let requests: Vec<Vec<u8>> = kind.paths.iter().map(|path| load::get(path)).collect();
        load::run(server.port, requests[..WARM_UP].to_vec(), 4).await?;
        for connections in CONNECTIONS {
            let round = load::run(server.port, requests.clone(), connections).await?;
            if let Some(refusal) = round.refusal(200) {
                return Err(format!("{}: {refusal}", kind.name).into());
            }
            let mut times: Vec<_> = round.answers.iter().map(|answer| answer.took).collect();
            let name = format!("{}, {connections} at once", kind.name);
            report.figure(format!("{name}: p50"), percentile(&mut times, 0.5), "ms");
            report.under(format!("{name}: p95"), percentile(&mut times, 0.95), "ms", kind.aim_ms);
            report.figure(format!("{name}: rate"), round.rate(), "/s");
            if connections == CONNECTIONS[0] {
                let items = round.answers.iter().map(|it| String::from_utf8_lossy(&it.body).matches(kind.item).count());
                report.note(format!("{name}: items found in all"), i64::try_from(items.sum::<usize>())?);
            }
        }
    }
    Ok(())
}

async fn kinds(bench: &Bench) -> Result<Vec<Kind>, StartError> {
    let now = Clock::default().now();
    let day = |ahead: usize| -> Result<_, StartError> {
        let at = now + SignedDuration::from_hours(24 * i64::try_from(ahead)?);
        Ok(at.to_zoned(jiff::tz::TimeZone::UTC).date())
    };
    // Spread over the ids, the same at every run.
    let some = "select id::text from practitioner where online order by md5(id::text) limit $1";
    let practitioners: Vec<String> =
        sqlx::query_scalar(some).bind(i64::try_from(QUESTIONS)?).fetch_all(&bench.pool).await?;
    let all = "select specialty_code from practitioner_specialty group by 1 order by count(*) desc, 1";
    let specialties: Vec<String> = sqlx::query_scalar(all).fetch_all(&bench.pool).await?;
    if practitioners.is_empty() || specialties.is_empty() {
        return Err("there is nobody to look for".into());
    }
    // Coprime steps, so that every combination has its turn.
    let specialty = |n: usize| &specialties[n % specialties.len()];
    let ask =
        |path: &dyn Fn(usize) -> Result<String, StartError>| (0..QUESTIONS).map(path).collect::<Result<Vec<_>, _>>();
    Ok(vec![
        Kind {
            name: "slots of one practitioner over 14 days",
            aim_ms: 10.0,
            item: "{\"slot\":",
            paths: ask(&|n| {
                let practitioner = &practitioners[n % practitioners.len()];
                Ok(format!("/v1/slots?practitioner={practitioner}&from={}&to={}", day(n % 50 + 1)?, day(n % 50 + 14)?))
            })?,
        },
        Kind {
            name: "free on a day within 20 km, specialty",
            aim_ms: 50.0,
            item: "\"next_free\":",
            paths: ask(&|n| {
                let around = AROUND[n % AROUND.len()];
                Ok(format!(
                    "/v1/practitioners?free_on={}&near={around}&radius_km=20&specialty={}",
                    day(n % 60 + 1)?,
                    specialty(n / 3)
                ))
            })?,
        },
        Kind {
            name: "free on a day within 20 km, any specialty",
            aim_ms: 50.0,
            item: "\"next_free\":",
            paths: ask(&|n| {
                let around = AROUND[n % AROUND.len()];
                Ok(format!("/v1/practitioners?free_on={}&near={around}&radius_km=20", day(n % 60 + 1)?))
            })?,
        },
        Kind {
            name: "free on a day in a place, specialty",
            aim_ms: 50.0,
            item: "\"next_free\":",
            paths: ask(&|n| {
                let place = PLACES[n % PLACES.len()];
                Ok(format!(
                    "/v1/practitioners?free_on={}&place={place}&specialty={}",
                    day(n % 60 + 1)?,
                    specialty(n / 3)
                ))
            })?,
        },
        Kind {
            name: "first free of 20 over 6 months, specialty and place",
            aim_ms: 50.0,
            item: "\"next_free\":",
            paths: ask(&|n| {
                Ok(format!("/v1/practitioners?specialty={}&place={}", specialty(n / 3), PLACES[n % PLACES.len()]))
            })?,
        },
        Kind {
            name: "first free of 20 over 6 months, specialty",
            aim_ms: 50.0,
            item: "\"next_free\":",
            paths: ask(&|n| Ok(format!("/v1/practitioners?specialty={}&limit={}", specialty(n), 18 + n % 3)))?,
        },
    ])
}
