//! What a calendar's server may answer instead of what it should: each comes to what it means, takes nothing away, and is said in plain words.

use std::time::{Duration, Instant};

use axum::http::Method;
use domain::{SignedDuration, Timestamp};
use exchange_fakes::mailbox::{Access, Fault, What};
use futures_util::future::join_all;
use serde_json::{Value, json};

use super::{ADDRESS, BOTH, Beside, Event, Of, WHOSE, during, path};
use crate::support::Client;
use crate::support::app::book;

/// As long as anybody who has to do something is waited for.
const PATIENCE: SignedDuration = SignedDuration::from_mins(15);

impl Beside {
    /// Everything is to be read again, whatever was refused before.
    pub(super) async fn again(&self, mailbox: &Value) {
        let administrator = self.app.staff("administrator-pentes").await;
        administrator.post(&format!("{}/resync", path(mailbox)), &json!({})).await.expect(200);
        self.app.settle().await;
    }

    fn goes_wrong(&self, fault: Fault) {
        self.server.state().faults.push(Fault { times: 10_000, ..fault });
    }

    fn goes_well(&self) {
        let mut state = self.server.state();
        state.faults.clear();
        state.mailbox_mut(ADDRESS).unwrap().access = Access::Open;
    }

    fn calls(&self) -> usize {
        self.server.state().calls.len()
    }

    /// How often anything was written there, in whatever way.
    fn writes(&self, of: Of) -> usize {
        self.calls_of(of.create()) + self.calls_of(of.update()) + self.calls_of(of.delete())
    }

    pub(super) async fn later(&self, by: SignedDuration) {
        self.app.later(by);
        self.server.state().now = self.app.now();
        self.tick().await;
    }

    pub(super) async fn fresh(&self, client: &Client) -> Client {
        client.clone().bearing(&self.app.fresh_token(client).await)
    }
}

fn instant(of: &Value) -> Timestamp {
    of.as_str().unwrap().parse().unwrap()
}

#[tokio::test]
async fn what_keeps_us_out_takes_nothing_away_and_the_desk_says_what_to_do() {
    for of in BOTH {
        let beside = Beside::of(of).await;
        let mailbox = beside.connected().await;
        let slots = beside.app.slots_with(WHOSE).await;
        let ada = beside.app.patient().await;
        let visit = book(&ada, &slots[0]).await.expect(201);
        beside.server.add(ADDRESS, Event::between("Réunion", during(&slots[9]))).unwrap();
        beside.look().await;
        // By an answer, or by who keeps the mailbox.
        let ways = [
            ("unauthenticated", "identifiants", Err((401, "InvalidAuthenticationToken"))),
            ("forbidden", "administrateur", Err((403, "ErrorAccessDenied"))),
            ("forbidden", "administrateur", Ok(Access::Forbidden)),
            ("no_mailbox", "adresse", Ok(Access::Elsewhere)),
        ];
        for (word, hint, how) in ways {
            match how {
                Err((status, code)) => beside.goes_wrong(Fault::once(of.changes(), What::Status(status, code))),
                Ok(access) => beside.server.state().mailbox_mut(ADDRESS).unwrap().access = access,
            }
            beside.again(&mailbox).await;
            let desk = beside.desk(&mailbox).await;
            assert_eq!(desk["fault"], word, "{of:?}: {desk}");
            assert!(desk["trouble"].as_str().unwrap().contains(hint), "{desk}");
            // A password that is refused again and again locks an account.
            let calls = beside.calls();
            beside.later(PATIENCE - SignedDuration::from_mins(1)).await;
            assert_eq!(beside.calls(), calls, "{of:?} {word}");
            assert_eq!(beside.questions(&mailbox).await, Vec::<Value>::new());
            let offered = beside.app.slots_with(WHOSE).await;
            assert!(offered.iter().all(|slot| slot["slot"] != slots[9]["slot"]), "what was taken stays taken");
            let read = beside.visit(&beside.fresh(&ada).await, &visit).await;
            assert_eq!(read["status"], "booked");
            beside.goes_well();
            beside.later(SignedDuration::from_mins(2)).await;
            let desk = beside.desk(&mailbox).await;
            assert_eq!(
                (&desk["fault"], &desk["blocks"], &desk["visits"]),
                (&Value::Null, &json!(1), &json!(1)),
                "{of:?} {word}"
            );
            assert_eq!(beside.events().len(), 2);
        }
    }
}

#[tokio::test]
async fn a_token_that_is_not_taken_any_more_is_nobodys_trouble() {
    let beside = Beside::start().await;
    let mailbox = beside.connected().await;
    beside.server.state().faults.push(Fault::once("changes", What::Status(401, "InvalidAuthenticationToken")));
    beside.look().await;
    assert!(beside.server.state().faults.is_empty());
    assert_eq!(beside.desk(&mailbox).await["fault"], Value::Null);
}

#[tokio::test]
async fn a_server_that_fails_is_asked_again_after_pauses_that_double() {
    let failures = [
        (Of::Online, What::Status(500, "ErrorInternalServerError")),
        (Of::Online, What::Status(502, "UnknownError")),
        (Of::Online, What::Unreached),
        (Of::Premises, What::Status(500, "ErrorInternalServerError")),
        (Of::Premises, What::Status(503, "Service Unavailable")),
        (Of::Premises, What::Broken),
    ];
    for (of, what) in failures {
        let beside = Beside::of(of).await;
        let mailbox = beside.connected().await;
        book(&beside.app.patient().await, &beside.app.slots_with(WHOSE).await[0]).await.expect(201);
        beside.goes_wrong(Fault::next(what));
        beside.app.settle().await;
        let mut pauses = Vec::new();
        for _ in 0..9 {
            let desk = beside.desk(&mailbox).await;
            assert_eq!(desk["fault"], "unavailable", "{of:?} {what:?}: {desk}");
            let pause = instant(&desk["rests_until"]).duration_since(beside.app.now());
            // The clock of the tests goes on.
            pauses.push((pause.as_secs() + 30) / 60);
            beside.later(pause).await;
        }
        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 60, 60, 60], "{of:?} {what:?}");
        beside.goes_well();
        beside.later(SignedDuration::from_hours(1)).await;
        assert_eq!(beside.desk(&mailbox).await["fault"], Value::Null);
        assert_eq!(beside.events().len(), 1, "{of:?} {what:?}");
    }
}

#[tokio::test]
async fn a_server_that_asks_for_patience_has_as_much_as_it_asks_for_within_a_day() {
    // By seconds in a header of the one, by milliseconds in a fault of the other, of which an hour is believed.
    let hour = 3_600;
    for (of, asked, had) in [
        (Of::Online, Some(600), 600),
        (Of::Online, Some(5), 60),
        (Of::Online, None, 60),
        (Of::Online, Some(40 * hour), 24 * hour),
        (Of::Premises, Some(600), 600),
        (Of::Premises, Some(5), 60),
        (Of::Premises, None, 60),
        (Of::Premises, Some(40 * hour), hour),
    ] {
        let beside = Beside::of(of).await;
        let mailbox = beside.connected().await;
        beside.goes_wrong(Fault::next(What::Throttled(asked)));
        beside.look().await;
        let desk = beside.desk(&mailbox).await;
        assert_eq!(desk["fault"], "throttled", "{of:?} {asked:?}");
        let rest = instant(&desk["rests_until"]).duration_since(beside.app.now());
        assert!((i64::from(had) - rest.as_secs()).abs() < 30, "{of:?} {asked:?}: {rest}");
        let calls = beside.calls();
        beside.later(rest - SignedDuration::from_secs(20)).await;
        assert_eq!(beside.calls(), calls);
        beside.goes_well();
        beside.later(SignedDuration::from_secs(30)).await;
        assert_eq!(beside.desk(&mailbox).await["fault"], Value::Null);
    }
}

#[tokio::test]
async fn a_cursor_that_is_lost_is_made_up_for_by_comparing() {
    for of in BOTH {
        let beside = Beside::of(of).await;
        let mailbox = beside.connected().await;
        let slots = beside.app.slots_with(WHOSE).await;
        let ada = beside.app.patient().await;
        for at in [0, 2, 4, 6] {
            book(&ada, &slots[at]).await.expect(201);
        }
        let gone = beside.server.add(ADDRESS, Event::between("Réunion", during(&slots[9]))).unwrap();
        beside.server.add(ADDRESS, Event::between("Réunion", during(&slots[11]))).unwrap();
        beside.look().await;
        let (writes, events) = (beside.writes(of), beside.events());
        beside.server.remove(ADDRESS, &gone).unwrap();
        beside.server.add(ADDRESS, Event::between("Réunion", during(&slots[13]))).unwrap();
        let ours = events.iter().find(|event| event.tag().is_some()).unwrap();
        beside.server.move_to(ADDRESS, &ours.id, during(&slots[15])).unwrap();
        beside.server.state().faults.push(Fault::once(of.changes(), What::LoseCursor));
        beside.look().await;
        let desk = beside.desk(&mailbox).await;
        assert_eq!((&desk["fault"], &desk["blocks"]), (&Value::Null, &json!(3)), "{of:?}");
        assert_eq!(beside.questions(&mailbox).await.iter().map(|one| &one["kind"]).collect::<Vec<_>>(), ["moved"]);
        assert_eq!(beside.writes(of), writes, "nothing is taken away or made again: {of:?}");
        assert_eq!(beside.events().len(), events.len());
        let offered = beside.app.slots_with(WHOSE).await;
        let free = |at: usize| offered.iter().any(|slot| slot["slot"] == slots[at]["slot"]);
        assert_eq!([9, 11, 13, 15].map(free), [true, false, false, false]);
    }
}

#[tokio::test]
async fn an_item_that_somebody_changes_meanwhile_is_read_again_three_times_and_then_rests() {
    for of in BOTH {
        let beside = Beside::of(of).await;
        let mailbox = beside.connected().await;
        let slots = beside.app.slots_with(WHOSE).await;
        let ada = beside.app.patient().await;
        let (visit, _) = beside.shown(&ada, &slots[0]).await;
        let move_to = format!("/v1/appointments/{}/move", visit["id"].as_str().unwrap());
        // Twice, and it is written all the same.
        beside.server.state().faults.push(Fault { times: 2, ..Fault::once(of.update(), What::Raced) });
        ada.post(&move_to, &json!({"slot": slots[4]["slot"]})).await.expect(200);
        beside.app.settle().await;
        assert_eq!((beside.calls_of(of.update()), beside.events()[0].during()), (3, Some(during(&slots[4]))), "{of:?}");
        // Always, and it is left for a while; the others go on.
        beside.goes_wrong(Fault::once(of.update(), What::Raced));
        ada.post(&move_to, &json!({"slot": slots[8]["slot"]})).await.expect(200);
        book(&ada, &slots[12]).await.expect(201);
        for _ in 0..3 {
            beside.look().await;
        }
        assert_eq!(beside.calls_of(of.update()), 6, "{of:?}");
        assert_eq!(beside.events().len(), 2);
        assert_eq!(beside.questions(&mailbox).await[0]["kind"], "refused");
        beside.goes_well();
        beside.later(SignedDuration::from_mins(6)).await;
        let times: Vec<_> = beside.events().iter().map(Event::during).collect();
        assert!(times.contains(&Some(during(&slots[8]))), "{of:?}");
        assert_eq!(beside.questions(&mailbox).await, Vec::<Value>::new());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_item_whose_making_is_answered_too_late_is_made_once() {
    let late = |of: Of| async move {
        let beside = Beside::of(of).await;
        beside.connected().await;
        let slots = beside.app.slots_with(WHOSE).await;
        // Longer than anything is waited for; and then the answer is lost.
        beside.server.state().faults.push(Fault::once(of.create(), What::Late(21)));
        beside.server.state().faults.push(Fault::once(of.create(), What::LostAnswer));
        let ada = beside.app.patient().await;
        for at in [0, 3] {
            book(&ada, &slots[at]).await.expect(201);
            beside.app.settle().await;
            beside.later(SignedDuration::from_mins(3)).await;
        }
        assert!(beside.server.state().faults.is_empty(), "{of:?}");
        beside.later(SignedDuration::from_mins(10)).await;
        assert_eq!((beside.events().len(), beside.calls_of(of.create())), (2, 2), "{of:?}");
        assert_eq!(beside.app.count("select count(*) from exchange_link where remote_id is not null").await, 2);
    };
    join_all(BOTH.map(late)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_calendar_that_is_slow_holds_up_a_booking_for_less_than_a_second() {
    for of in BOTH {
        let beside = Beside::of(of).await;
        let mailbox = beside.connected().await;
        let slots = beside.app.slots_with(WHOSE).await;
        let ada = beside.app.patient().await;
        beside.goes_wrong(Fault::once(of.busy(), What::Late(10)));
        for (wish, slot, status) in [("accept", &slots[0], 201), ("refuse", &slots[4], 503)] {
            let request = beside.administrator.request(Method::PATCH, &path(&mailbox));
            let request = request.header("content-type", "application/json");
            let wish = json!({"when_silent": wish}).to_string();
            beside.administrator.send(request.body(wish.into()).unwrap()).await.expect(200);
            let began = Instant::now();
            assert_eq!(book(&ada, slot).await.status, status, "{of:?}");
            let took = began.elapsed();
            assert!(took > Duration::from_millis(750) && took < Duration::from_secs(3), "{of:?}: {took:?}");
        }
    }
}
