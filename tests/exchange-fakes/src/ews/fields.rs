//! Events as items of the schema, and back.

use std::collections::BTreeSet;

use domain::Timestamp;
use domain::sync::Shown;
use exchange::ews::xml::{Element, Node, el};
use exchange::time_zones;
use jiff::civil::DateTime;

use super::answer::Failure;
use super::{Manner, recurrence};
use crate::mailbox::{Event, Kind, Sensitivity, Told};

/// Which properties are wanted.
pub struct Shape {
    everything: bool,
    fields: BTreeSet<String>,
    properties: Vec<(String, String)>,
    /// Of a search, which gives neither texts nor rules.
    pub brief: bool,
    pub manner: Manner,
}

impl Shape {
    /// As a request says.
    pub fn of(asked: &Element, brief: bool, manner: Manner) -> Self {
        let shape = asked.child("ItemShape");
        let more = shape
            .and_then(|shape| shape.child("AdditionalProperties"))
            .map(|more| more.children.clone())
            .unwrap_or_default();
        let fields = more.iter().filter_map(|field| field.attr("FieldURI")).map(str::to_owned).collect();
        let properties = more.iter().filter(|field| field.name == "ExtendedFieldURI").filter_map(property).collect();
        let everything = shape.and_then(|shape| shape.word("BaseShape")).is_some_and(|base| base != "IdOnly");
        Self { everything, fields, properties, brief, manner }
    }

    fn wants(&self, field: &str) -> bool {
        self.everything || self.fields.contains(field)
    }
}

/// The named property of an `ExtendedFieldURI`: its set, in lower case, and its name.
pub fn property(field: &Element) -> Option<(String, String)> {
    let set = field.attr("PropertySetId").or_else(|| field.attr("DistinguishedPropertySetId"))?;
    Some((set.to_lowercase(), field.attr("PropertyName")?.to_owned()))
}

/// The number and the state of an event.
pub fn item_id(event: &Event) -> Node {
    el("t:ItemId").attr("Id", &event.id).attr("ChangeKey", event.change_key())
}

/// An instant, as Exchange writes it, or with an offset that is hardly one.
pub fn instant(at: Timestamp, manner: Manner) -> String {
    match manner {
        Manner::Exchange => at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        Manner::Loose => {
            let there = at.to_zoned(jiff::tz::TimeZone::fixed(jiff::tz::offset(1)));
            there.strftime("%Y-%m-%dT%H:%M:%S.000+0100").to_string()
        }
    }
}

/// An event as an item with the properties that are wanted, in the schema's order.
pub fn item(event: &Event, folder: &str, shape: &Shape) -> Node {
    let wanted = |fields: Vec<(&str, Option<Node>)>| {
        fields.into_iter().filter(|(field, _)| shape.wants(field)).filter_map(|(_, node)| node).collect::<Vec<_>>()
    };
    el("t:CalendarItem")
        .with(item_id(event))
        .with_all(wanted(of_any_item(event, folder, shape)))
        .with_all(properties(event, shape))
        .with_all(wanted(of_a_calendar(event, shape)))
}

/// The folder that it is in, by its number, or by another way to write it.
fn parent(folder: &str, manner: Manner) -> Node {
    let number = if manner == Manner::Loose { format!("{folder}A") } else { folder.to_owned() };
    el("t:ParentFolderId").attr("Id", number).attr("ChangeKey", "AQAAAA==")
}

fn yes(value: bool) -> &'static str {
    if value { "true" } else { "false" }
}

fn of_any_item<'a>(event: &Event, folder: &str, shape: &Shape) -> Vec<(&'a str, Option<Node>)> {
    // Whatever was given, it is kept as a page.
    let page = format!("<html>\n<body>\n{}\n</body>\n</html>\n", event.body);
    let categories = event.categories.iter().map(|name| el("t:String").text(name));
    let categories = (!event.categories.is_empty()).then(|| el("t:Categories").with_all(categories));
    vec![
        ("item:ParentFolderId", Some(parent(folder, shape.manner))),
        ("item:ItemClass", Some(el("t:ItemClass").text("IPM.Appointment"))),
        ("item:Subject", Some(el("t:Subject").text(&event.subject))),
        ("item:Sensitivity", Some(el("t:Sensitivity").text(format!("{:?}", event.sensitivity)))),
        ("item:Body", (!shape.brief).then(|| el("t:Body").attr("BodyType", "HTML").text(page))),
        ("item:Categories", categories),
        ("item:DateTimeCreated", Some(el("t:DateTimeCreated").text(instant(event.created, shape.manner)))),
        ("item:ReminderIsSet", Some(el("t:ReminderIsSet").text(yes(event.reminder)))),
    ]
}

fn of_a_calendar<'a>(event: &Event, shape: &Shape) -> Vec<(&'a str, Option<Node>)> {
    let text = |name, text: &str| Some(el(name).text(text));
    let said = |at| if event.told == Told::Garbled { "demain".to_owned() } else { instant(at, shape.manner) };
    let time = |name, at| Some(el(name).text(said(at)));
    let rule = event.recurrence.as_ref().filter(|_| !shape.brief);
    let zone = |name| (!shape.brief).then(|| el(name).attr("Id", windows(&event.zone)));
    vec![
        ("item:LastModifiedTime", time("t:LastModifiedTime", event.modified)),
        ("calendar:UID", text("t:UID", &event.uid)),
        ("calendar:Start", time("t:Start", event.starts_at())),
        ("calendar:End", time("t:End", event.ends_at())),
        ("calendar:IsAllDayEvent", text("t:IsAllDayEvent", yes(event.all_day))),
        ("calendar:LegacyFreeBusyStatus", text("t:LegacyFreeBusyStatus", shown(event.shown))),
        ("calendar:Location", text("t:Location", &event.location).filter(|_| !event.location.is_empty())),
        ("calendar:IsCancelled", text("t:IsCancelled", yes(event.cancelled))),
        ("calendar:IsRecurring", text("t:IsRecurring", yes(event.series().is_some()))),
        ("calendar:CalendarItemType", text("t:CalendarItemType", kind(event))),
        ("calendar:Recurrence", rule.map(|rule| recurrence::write(rule, event.start.date()))),
        ("calendar:StartTimeZone", zone("t:StartTimeZone")),
        ("calendar:EndTimeZone", zone("t:EndTimeZone")),
    ]
}

fn properties(event: &Event, shape: &Shape) -> Vec<Node> {
    let wanted = shape.properties.iter().filter_map(|key| Some((key, event.properties.get(key)?)));
    let node = |((set, name), value): (&(String, String), &String)| {
        let field = el("t:ExtendedFieldURI");
        let field = if set.contains('-') {
            field.attr("PropertySetId", set)
        } else {
            field.attr("DistinguishedPropertySetId", "PublicStrings")
        };
        el("t:ExtendedProperty")
            .with(field.attr("PropertyName", name).attr("PropertyType", "String"))
            .with(el("t:Value").text(value))
    };
    let once: Vec<Node> = wanted.map(node).collect();
    if shape.manner == Manner::Loose { [once.clone(), once].concat() } else { once }
}

fn windows(zone: &str) -> &str {
    if time_zones::iana(zone).is_some() { zone } else { time_zones::windows(zone).unwrap_or(time_zones::UTC) }
}

fn kind(event: &Event) -> &'static str {
    match (&event.kind, &event.recurrence) {
        (Kind::Alone, None) => "Single",
        (Kind::Alone, Some(_)) => "RecurringMaster",
        (Kind::Occurrence { .. }, _) => "Occurrence",
        (Kind::Exception { .. }, _) => "Exception",
    }
}

/// How Exchange calls how a time is shown.
pub fn shown(shown: Shown) -> &'static str {
    match shown {
        Shown::Free => "Free",
        Shown::Tentative => "Tentative",
        Shown::Busy => "Busy",
        Shown::Away => "OOF",
        Shown::Elsewhere => "WorkingElsewhere",
    }
}

/// Sets one property of an event; what is not known here is taken and forgotten.
pub fn set(event: &mut Event, value: &Element) -> Result<(), Failure> {
    let text = value.text.trim();
    let yes = matches!(text, "true" | "1");
    match value.name.as_str() {
        "Subject" => event.subject.clone_from(&value.text),
        "Location" => event.location.clone_from(&value.text),
        "Body" => event.body.clone_from(&value.text),
        "UID" => text.clone_into(&mut event.uid),
        "Sensitivity" => event.sensitivity = sensitivity(text)?,
        "Categories" => event.categories = value.children.iter().map(|name| name.text.clone()).collect(),
        "ReminderIsSet" => event.reminder = yes,
        "IsAllDayEvent" => event.all_day = yes,
        "LegacyFreeBusyStatus" => {
            let all = [Shown::Free, Shown::Tentative, Shown::Busy, Shown::Away, Shown::Elsewhere];
            event.shown =
                all.into_iter().find(|one| shown(*one) == text).ok_or(Failure::Fault("ErrorSchemaValidation"))?;
        }
        "ExtendedProperty" => {
            let key = value
                .child("ExtendedFieldURI")
                .and_then(property)
                .ok_or(Failure::Message("ErrorInvalidExtendedProperty"))?;
            event.properties.insert(key, value.child("Value").map(|value| value.text.clone()).unwrap_or_default());
        }
        "Start" => event.start = civil(text, &event.zone)?,
        "End" => event.end = civil(text, &event.zone)?,
        "StartTimeZone" => set_zone(event, value.attr("Id"))?,
        "Recurrence" => {
            event.recurrence = Some(recurrence::read(value).ok_or(Failure::Message("ErrorUnsupportedRecurrence"))?);
        }
        "RequiredAttendees" => event.attendees = value.children.iter().map(|_| "somebody".to_owned()).collect(),
        _ => {}
    }
    Ok(())
}

/// Another zone, and the same instants.
fn set_zone(event: &mut Event, zone: Option<&str>) -> Result<(), Failure> {
    let zone = zone.filter(|id| time_zones::zone(id).is_some()).ok_or(Failure::Message("ErrorTimeZone"))?;
    (event.start, event.end) = (there(event.starts_at(), zone), there(event.ends_at(), zone));
    zone.clone_into(&mut event.zone);
    Ok(())
}

fn sensitivity(text: &str) -> Result<Sensitivity, Failure> {
    let all = [Sensitivity::Normal, Sensitivity::Personal, Sensitivity::Private, Sensitivity::Confidential];
    all.into_iter().find(|one| format!("{one:?}") == text).ok_or(Failure::Fault("ErrorSchemaValidation"))
}

fn there(at: Timestamp, zone: &str) -> DateTime {
    time_zones::zone(zone).unwrap_or(jiff::tz::TimeZone::UTC).to_datetime(at)
}

/// What a clock shows in a zone at a time that names its offset, or else is of that zone.
fn civil(text: &str, zone: &str) -> Result<DateTime, Failure> {
    let exact = text.parse::<Timestamp>().map(|at| there(at, zone));
    exact.or_else(|_| text.parse::<DateTime>()).map_err(|_| Failure::Fault("ErrorSchemaValidation"))
}
