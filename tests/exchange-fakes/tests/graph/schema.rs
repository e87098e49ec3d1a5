//! That a body which is wrong is seen to be, and that the fake refuses the fifth call at once.

use domain::sync::RemoteId;
use exchange::{Calendar as _, Why};
use exchange_fakes::csdl::beside;
use futures_util::future::join_all;
use serde_json::json;

use crate::world::{World, mirror};

#[test]
fn what_is_wrong_is_found() {
    let Some(schema) = beside() else {
        println!("no schema of Graph beside the checkout: nothing was checked");
        return;
    };
    let wrong = |body: serde_json::Value| schema.check(&body, "graph.event", "").len();
    assert_eq!(
        wrong(
            json!({"subject": "x", "showAs": "oof", "isAllDay": false, "start": {"dateTime": "x", "timeZone": null}})
        ),
        0
    );
    assert_eq!(
        wrong(
            json!({"@odata.etag": "x", "occurrenceId": null, "singleValueExtendedProperties": [{"id": "x", "value": "y"}]})
        ),
        0
    );
    for body in [
        json!({"Subject": "x"}),
        json!({"subject": 7}),
        json!({"showAs": "away"}),
        json!({"isAllDay": "false"}),
        json!({"start": "2026-12-01"}),
        json!({"start": {"datetime": "x"}}),
        json!({"start": {"dateTime": null}}),
        json!({"categories": "Carnet"}),
        json!({"categories": [7]}),
        json!({"createdDateTime": "yesterday"}),
        json!({"recurrence": {"pattern": {"interval": 1.5}}}),
        json!({"singleValueExtendedProperties": [{"key": "x"}]}),
        json!([]),
    ] {
        assert_eq!(wrong(body.clone()), 1, "{body}");
    }
    assert_eq!(
        schema.check(&json!({"Schedules": ["x"], "startTime": {"dateTime": "x"}}), "action getSchedule", "").len(),
        0
    );
    assert_eq!(schema.check(&json!({"schedule": ["x"]}), "action getSchedule", "").len(), 1);
    // A type that is more than what is expected brings its own properties.
    let custom = json!({"timeZone": {"@odata.type": "#microsoft.graph.customTimeZone", "bias": 60, "name": "x"}});
    assert_eq!(schema.check(&custom, "graph.workingHours", "").len(), 0);
    assert_eq!(schema.check(&json!({"timeZone": {"bias": 60}}), "graph.workingHours", "").len(), 1);
}

#[tokio::test]
async fn a_mailbox_bears_four_calls_at_once() {
    let world = World::new();
    let made = world.create(&mirror(1, "2026-12-01T09:00:00Z", "2026-12-01T09:30:00Z")).await.unwrap();
    let id = RemoteId(made.id.0);
    let five = join_all((0..5).map(|_| world.read(&id))).await;
    let refused: Vec<Why> = five.into_iter().filter_map(Result::err).map(|fault| fault.why).collect();
    assert_eq!(refused, [Why::Throttled]);
    world.server.state().calls.clear();
}
