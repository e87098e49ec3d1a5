//! Single events: made, read, changed, taken away.

use http::StatusCode;
use jiff::civil::DateTime;
use serde_json::{Value, json};

use super::shape::{self, Manner};
use super::{Answer, At, Call, Graph, Refused};
use crate::mailbox::Event;

impl Graph {
    pub(super) fn create(&self, at: &At<'_>, call: &Call<'_>) -> Answer {
        let manner = Manner::of(call)?;
        let mut event = Event::new("", DateTime::default(), DateTime::default(), "UTC");
        if call.body.get("start").is_none() || call.body.get("end").is_none() {
            return Err(Refused(400, "ErrorPropertyValidationFailure"));
        }
        shape::read(&call.body, &mut event)?;
        let made = self.server.state().create(at.user, at.calendar.as_deref(), event)?;
        Ok((StatusCode::CREATED, contextual(manner.whole(&made))))
    }

    pub(super) fn read(&self, at: &At<'_>, call: &Call<'_>, id: &str) -> Answer {
        let event = self.event(at, id)?;
        Ok((StatusCode::OK, contextual(Manner::of(call)?.whole(&event))))
    }

    pub(super) fn update(&self, at: &At<'_>, call: &Call<'_>, id: &str) -> Answer {
        let (event, manner) = (self.event(at, id)?, Manner::of(call)?);
        // It is set once, when the event is made.
        if call.body.get("transactionId").is_some() {
            return Err(Refused(400, "ErrorInvalidPropertySet"));
        }
        let mut wanted = event.clone();
        shape::read(&call.body, &mut wanted)?;
        let changed = self.server.state().update(at.user, &event.id, expected(call), |event| *event = wanted)?;
        Ok((StatusCode::OK, contextual(manner.whole(&changed))))
    }

    pub(super) fn delete(&self, at: &At<'_>, call: &Call<'_>, id: &str) -> Answer {
        let event = self.event(at, id)?;
        self.server.state().delete(at.user, &event.id, expected(call))?;
        Ok((StatusCode::NO_CONTENT, Value::Null))
    }
}

/// The state that the caller knows, if it says so.
fn expected<'a>(call: &'a Call<'_>) -> Option<&'a str> {
    let text = call.header("if-match")?;
    (text != "*").then(|| text.trim_start_matches("W/").trim_matches('"'))
}

fn contextual(row: Value) -> Value {
    let mut whole =
        json!({"@odata.context": "https://graph.microsoft.com/v1.0/$metadata#users('fake')/events/$entity"});
    if let (Value::Object(whole), Value::Object(row)) = (&mut whole, row) {
        whole.extend(row);
    }
    whole
}
