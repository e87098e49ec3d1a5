//! One item: read, found by its tag, made, changed, taken away.

use domain::sync::{Item, Mirror, RemoteId, Tag, Version};
use http::Method;
use serde_json::{Value, json};

use super::Graph;
use super::call::{Ask, plain};
use super::faults::About;
use super::row::{Row, SELECT, tag_property};
use crate::{CATEGORY, Fault, Why, Written, time_zones};

/// The server remembers the transaction of an item that is another by now, or gone.
const DUPLICATE: &str = "ErrorDuplicateTransactionId";

impl Graph {
    pub(super) async fn read_item(&self, id: &RemoteId) -> Result<Option<Item>, Fault> {
        let Some(row) = self.read_row(&id.0).await? else { return Ok(None) };
        row.item(&self.place.time_zone)
            .map(Some)
            .map_err(|_| Fault::new(Why::Malformed, "an item that says too little"))
    }

    /// One row with its tag; `None` when the calendar answers and has no such item.
    pub(super) async fn read_row(&self, id: &str) -> Result<Option<Row>, Fault> {
        let url = format!("{}?$select={SELECT}&{}", self.item_url(id), expanded());
        match self.json(Ask::get(url, About::Item)).await {
            Ok(row) => serde_json::from_value(row).map(Some).map_err(|_| Fault::new(Why::Malformed, "not a row")),
            Err(fault) if fault.why == Why::Gone => {
                // The calendar may be what is gone.
                let url = format!("{}?$select=id", self.calendar_url());
                self.json(Ask::get(url, About::Calendar)).await?;
                Ok(None)
            }
            Err(fault) => Err(fault),
        }
    }

    pub(super) async fn find_tagged(&self, tag: Tag) -> Result<Vec<Item>, Fault> {
        let property = tag_property();
        let filter = format!("singleValueExtendedProperties/Any(ep: ep/id eq '{property}' and ep/value eq '{tag}')");
        let url = format!("{}/events?$filter={}&$select={SELECT}&{}", self.calendar_url(), plain(&filter), expanded());
        let (rows, _) = self.pages(url, About::Calendar).await?;
        let item =
            |row: Value| -> Option<Item> { serde_json::from_value::<Row>(row).ok()?.item(&self.place.time_zone).ok() };
        let items: Option<Vec<Item>> = rows.into_iter().map(item).collect();
        // One that is passed over would be made again.
        let items = items.ok_or_else(|| Fault::new(Why::Malformed, "an item that says too little"))?;
        // A server that filters by the tag and does not show it means what was asked for.
        let carrying = items.into_iter().map(|item| Item { tag: item.tag.or(Some(tag)), ..item });
        Ok(carrying.filter(|item| item.tag == Some(tag)).collect())
    }

    pub(super) async fn create_item(&self, event: &Mirror) -> Result<Written, Fault> {
        let answer = self.json(self.to_create(event)).await;
        self.created(answer, event).await
    }

    pub(super) fn to_create(&self, event: &Mirror) -> Ask<'static> {
        let mut body = looks(event);
        body["body"] = json!({"contentType": "text", "content": ""});
        body["isReminderOn"] = json!(false);
        body["responseRequested"] = json!(false);
        body["categories"] = json!([CATEGORY]);
        body["transactionId"] = json!(event.tag.key());
        body["singleValueExtendedProperties"] = json!([{"id": tag_property(), "value": event.tag.to_string()}]);
        Ask::new(Method::POST, format!("{}/events", self.calendar_url()), About::NewItem).body(body)
    }

    /// What the answer to that comes to.
    pub(super) async fn created(&self, answer: Result<Value, Fault>, event: &Mirror) -> Result<Written, Fault> {
        match answer {
            // What a transaction made before comes back as it is by now.
            Ok(answer) => self.written(answer).and_then(|item| same(&item, event)),
            Err(fault) if fault.code == DUPLICATE => self.made_before(event).await,
            Err(fault) => Err(fault),
        }
    }

    async fn made_before(&self, event: &Mirror) -> Result<Written, Fault> {
        match self.find_tagged(event.tag).await?.as_slice() {
            [] => Err(Fault::new(Why::Refused, DUPLICATE)),
            [item] => same(item, event),
            _ => Err(Fault::new(Why::Conflict, DUPLICATE).perhaps_done()),
        }
    }

    pub(super) async fn update_item(&self, id: &RemoteId, version: &Version, event: &Mirror) -> Result<Written, Fault> {
        let ask = Ask::new(Method::PATCH, self.item_url(&id.0), About::Item).body(looks(event)).at(version);
        let answer = self.json(ask).await?;
        self.written(answer).map(|item| Written { id: item.id, version: item.version })
    }

    pub(super) async fn delete_item(&self, id: &RemoteId, version: &Version) -> Result<(), Fault> {
        self.answered(&Ask::new(Method::DELETE, self.item_url(&id.0), About::Item).at(version)).await.map(|_| ())
    }

    /// What the answer to a write says was written.
    fn written(&self, answer: Value) -> Result<Item, Fault> {
        let row = serde_json::from_value::<Row>(answer).ok();
        row.and_then(|row| row.item(&self.place.time_zone).ok())
            .ok_or_else(|| Fault::new(Why::Malformed, "not what was written").perhaps_done())
    }
}

/// It was made, and is what it shall be; or it was changed since, which is for the next look to decide on.
fn same(item: &Item, event: &Mirror) -> Result<Written, Fault> {
    if item.face == event.face() {
        Ok(Written { id: item.id.clone(), version: item.version.clone() })
    } else {
        Err(Fault::new(Why::Conflict, "made before and changed since").perhaps_done())
    }
}

pub(super) fn expanded() -> String {
    let filter = format!("singleValueExtendedProperties($filter=id eq '{}')", tag_property());
    format!("$expand={}", plain(&filter))
}

/// What others see of it. Nobody is invited, so nobody is told.
fn looks(event: &Mirror) -> Value {
    let (mut start, mut zone) = time_zones::write(event.starts_at, &event.time_zone);
    let (mut end, end_zone) = time_zones::write(event.ends_at, &event.time_zone);
    if zone != end_zone {
        (start, zone) = time_zones::write(event.starts_at, time_zones::UTC);
        end = time_zones::write(event.ends_at, time_zones::UTC).0;
    }
    json!({
        "subject": event.subject,
        "start": {"dateTime": start, "timeZone": zone},
        "end": {"dateTime": end, "timeZone": zone},
        "location": {"displayName": event.location},
        "isAllDay": false,
        "showAs": "busy",
        "sensitivity": "private",
    })
}
