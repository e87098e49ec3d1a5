//! What is asked of Exchange, exact to its schemas (`Messages.xsd`, `Types.xsd`): the order of elements matters there.

use domain::Timestamp;
use domain::interval::Interval;
use domain::sync::{Mirror, RemoteId, Tag, Version};
use jiff::tz::Offset;

use super::xml::{Node, el};
use super::{Account, Reach, ServerVersion};
use crate::{CATEGORY, TAG_NAME, TAG_SET, time_zones};

/// How many changes a call of `SyncFolderItems` may bring: 512 is the schema's maximum (`MaxSyncChangesReturnedType`).
pub const CHANGES_A_CALL: usize = 512;
/// How many items a page is asked for: what Exchange gives at most unless it is told otherwise (`EWSFindCountLimit`).
pub const ITEMS_A_PAGE: usize = 1000;
/// How long, in minutes, one answer of events may last: 30 is the schema's maximum.
pub const LONGEST_LISTENING: u8 = 30;
/// The grain of what is merged, in minutes: the finest there is.
pub const GRAIN: i32 = 5;

const SOAP: &str = "http://schemas.xmlsoap.org/soap/envelope/";
const MESSAGES: &str = "http://schemas.microsoft.com/exchange/services/2006/messages";
const TYPES: &str = "http://schemas.microsoft.com/exchange/services/2006/types";

/// What is read of an item, in the order of nothing: none of it tells who comes.
const READ: [&str; 9] = [
    "item:Subject",
    "item:Sensitivity",
    "calendar:Start",
    "calendar:End",
    "calendar:LegacyFreeBusyStatus",
    "calendar:Location",
    "calendar:CalendarItemType",
    "calendar:IsCancelled",
    "calendar:UID",
];

/// A whole document: who asks for whose mailbox, the zone that times without one are in (a Windows name), and what is asked.
pub fn envelope(account: &Account, zone: &str, asked: Node) -> Vec<u8> {
    let version = match account.version {
        ServerVersion::Exchange2013Sp1 => "Exchange2013_SP1",
        ServerVersion::Exchange2016 => "Exchange2016",
    };
    let mut header = el("s:Header").with(el("t:RequestServerVersion").attr("Version", version));
    if account.reach == Reach::Impersonation {
        let address = el("t:PrimarySmtpAddress").text(&account.mailbox);
        header = header.with(el("t:ExchangeImpersonation").with(el("t:ConnectingSID").with(address)));
    }
    header = header.with(el("t:TimeZoneContext").with(el("t:TimeZoneDefinition").attr("Id", zone)));
    el("s:Envelope")
        .attr("xmlns:s", SOAP)
        .attr("xmlns:m", MESSAGES)
        .attr("xmlns:t", TYPES)
        .with(header)
        .with(el("s:Body").with(asked))
        .document()
}

/// The calendar: of the account itself or of whom it stands for, or of another mailbox that let it in.
fn calendar(account: &Account) -> Node {
    let folder = el("t:DistinguishedFolderId").attr("Id", "calendar");
    match account.reach {
        Reach::Own | Reach::Impersonation => folder,
        Reach::Delegate => folder.with(el("t:Mailbox").with(el("t:EmailAddress").text(&account.mailbox))),
    }
}

fn tag_field() -> Node {
    el("t:ExtendedFieldURI")
        .attr("PropertySetId", TAG_SET)
        .attr("PropertyName", TAG_NAME)
        .attr("PropertyType", "String")
}

fn field(name: &str) -> Node {
    el("t:FieldURI").attr("FieldURI", name)
}

fn shape(more: &[&str]) -> Node {
    let fields = READ.iter().chain(more).map(|name| field(name));
    el("m:ItemShape")
        .with(el("t:BaseShape").text("IdOnly"))
        .with(el("t:AdditionalProperties").with_all(fields).with(tag_field()))
}

fn utc(instant: Timestamp) -> String {
    instant.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// The next whole second, which is the finest that servers take.
fn up(instant: Timestamp) -> Timestamp {
    instant
        .round(jiff::TimestampRound::new().smallest(jiff::Unit::Second).mode(jiff::RoundMode::Ceil))
        .unwrap_or(instant)
}

/// What changed since a state; everything from the beginning without one. Only numbers: a series is one item here.
pub fn sync(account: &Account, state: Option<&str>) -> Node {
    let mut asked = el("m:SyncFolderItems")
        .with(el("m:ItemShape").with(el("t:BaseShape").text("IdOnly")))
        .with(el("m:SyncFolderId").with(calendar(account)));
    if let Some(state) = state {
        asked = asked.with(el("m:SyncState").text(state));
    }
    asked.with(el("m:MaxChangesReturned").text(CHANGES_A_CALL.to_string())).with(el("m:SyncScope").text("NormalItems"))
}

/// What there is in a stretch of time, each occurrence by itself, [`ITEMS_A_PAGE`] at most.
pub fn view(account: &Account, span: Interval) -> Node {
    let view = el("m:CalendarView")
        .attr("MaxEntriesReturned", ITEMS_A_PAGE.to_string())
        .attr("StartDate", utc(span.start()))
        .attr("EndDate", utc(up(span.end())));
    el("m:FindItem")
        .attr("Traversal", "Shallow")
        .with(shape(&[]))
        .with(view)
        .with(el("m:ParentFolderIds").with(calendar(account)))
}

/// What carries a tag, from the `offset`th on.
pub fn find(account: &Account, tag: Tag, offset: usize) -> Node {
    let page = el("m:IndexedPageItemView")
        .attr("MaxEntriesReturned", ITEMS_A_PAGE.to_string())
        .attr("Offset", offset.to_string())
        .attr("BasePoint", "Beginning");
    let value = el("t:FieldURIOrConstant").with(el("t:Constant").attr("Value", tag.to_string()));
    el("m:FindItem")
        .attr("Traversal", "Shallow")
        .with(shape(&[]))
        .with(page)
        .with(el("m:Restriction").with(el("t:IsEqualTo").with(tag_field()).with(value)))
        .with(el("m:ParentFolderIds").with(calendar(account)))
}

/// One item, and the folder it is in.
pub fn get(id: &RemoteId) -> Node {
    el("m:GetItem").with(shape(&["item:ParentFolderId"])).with(el("m:ItemIds").with(el("t:ItemId").attr("Id", &id.0)))
}

/// The calendar's number.
pub fn folder(account: &Account) -> Node {
    el("m:GetFolder")
        .with(el("m:FolderShape").with(el("t:BaseShape").text("IdOnly")))
        .with(el("m:FolderIds").with(calendar(account)))
}

/// An instant with the offset that is kept in a zone of IANA then; in universal time where the zone is not known.
fn local(instant: Timestamp, zone: &str) -> String {
    let offset = time_zones::zone(zone).map_or(Offset::UTC, |zone| zone.to_offset(instant));
    // Zones had seconds in their offset once; XML has minutes only.
    if offset.seconds() == 0 || offset.seconds() % 60 != 0 {
        return utc(instant);
    }
    let (text, minutes) = (offset.to_datetime(instant).strftime("%Y-%m-%dT%H:%M:%S"), offset.seconds() / 60);
    let sign = if minutes < 0 { '-' } else { '+' };
    format!("{text}{sign}{:02}:{:02}", minutes.abs() / 60, minutes.abs() % 60)
}

/// The Windows name of the zone that an item is written in.
pub fn zone_of(event: &Mirror) -> &'static str {
    time_zones::windows(&event.time_zone).unwrap_or(time_zones::UTC)
}

/// Makes items. Nobody is invited, nothing rings.
pub fn create(account: &Account, events: &[Mirror]) -> Node {
    el("m:CreateItem")
        .attr("MessageDisposition", "SaveOnly")
        .attr("SendMeetingInvitations", "SendToNone")
        .with(el("m:SavedItemFolderId").with(calendar(account)))
        .with(el("m:Items").with_all(events.iter().map(new_item)))
}

fn new_item(event: &Mirror) -> Node {
    let zone = zone_of(event);
    el("t:CalendarItem")
        .with(el("t:Subject").text(&event.subject))
        .with(el("t:Sensitivity").text("Private"))
        .with(el("t:Body").attr("BodyType", "Text"))
        .with(el("t:Categories").with(el("t:String").text(CATEGORY)))
        .with(el("t:ReminderIsSet").text("false"))
        .with(el("t:ExtendedProperty").with(tag_field()).with(el("t:Value").text(event.tag.to_string())))
        .with(el("t:Start").text(local(event.starts_at, &event.time_zone)))
        .with(el("t:End").text(local(event.ends_at, &event.time_zone)))
        .with(el("t:IsAllDayEvent").text("false"))
        .with(el("t:LegacyFreeBusyStatus").text("Busy"))
        .with(el("t:Location").text(&event.location))
        .with(el("t:StartTimeZone").attr("Id", zone))
        .with(el("t:EndTimeZone").attr("Id", zone))
}

fn item_id(id: &RemoteId, version: &Version) -> Node {
    el("t:ItemId").attr("Id", &id.0).attr("ChangeKey", &version.0)
}

/// Makes an item of ours what it shall be, if it is in that state still. Its zone is left as it is, since some servers take it for none
/// of an update's business (`ErrorInvalidPropertySet`); the instants are exact, and the request's own zone is the item's.
pub fn update(id: &RemoteId, version: &Version, event: &Mirror) -> Node {
    let set = |name, value: Node| el("t:SetItemField").with(field(name)).with(el("t:CalendarItem").with(value));
    let tag = el("t:ExtendedProperty").with(tag_field()).with(el("t:Value").text(event.tag.to_string()));
    let updates = [
        set("item:Subject", el("t:Subject").text(&event.subject)),
        set("item:Sensitivity", el("t:Sensitivity").text("Private")),
        el("t:SetItemField").with(tag_field()).with(el("t:CalendarItem").with(tag)),
        set("calendar:Start", el("t:Start").text(local(event.starts_at, &event.time_zone))),
        set("calendar:End", el("t:End").text(local(event.ends_at, &event.time_zone))),
        set("calendar:IsAllDayEvent", el("t:IsAllDayEvent").text("false")),
        set("calendar:LegacyFreeBusyStatus", el("t:LegacyFreeBusyStatus").text("Busy")),
        set("calendar:Location", el("t:Location").text(&event.location)),
    ];
    let change = el("t:ItemChange").with(item_id(id, version)).with(el("t:Updates").with_all(updates));
    el("m:UpdateItem")
        .attr("ConflictResolution", "NeverOverwrite")
        .attr("MessageDisposition", "SaveOnly")
        .attr("SendMeetingInvitationsOrCancellations", "SendToNone")
        .with(el("m:ItemChanges").with(change))
}

/// Takes an item away, to where its owner finds it again. Nobody is told.
pub fn delete(id: &RemoteId, version: &Version) -> Node {
    el("m:DeleteItem")
        .attr("DeleteType", "MoveToDeletedItems")
        .attr("SendMeetingCancellations", "SendToNone")
        .with(el("m:ItemIds").with(item_id(id, version)))
}

/// When a mailbox is not free, in universal time.
pub fn availability(account: &Account, during: Interval) -> Node {
    let side = |name| {
        el(name)
            .with(el("t:Bias").text("0"))
            .with(el("t:Time").text("00:00:00"))
            .with(el("t:DayOrder").text("0"))
            .with(el("t:Month").text("0"))
            .with(el("t:DayOfWeek").text("Sunday"))
    };
    let zone = el("t:TimeZone").with(el("t:Bias").text("0")).with(side("t:StandardTime")).with(side("t:DaylightTime"));
    let mailbox = el("t:MailboxData")
        .with(el("t:Email").with(el("t:Address").text(&account.mailbox)))
        .with(el("t:AttendeeType").text("Required"))
        .with(el("t:ExcludeConflicts").text("false"));
    let bare = |instant: Timestamp| instant.strftime("%Y-%m-%dT%H:%M:%S").to_string();
    let window = el("t:TimeWindow")
        .with(el("t:StartTime").text(bare(during.start())))
        .with(el("t:EndTime").text(bare(during.end())));
    let options = el("t:FreeBusyViewOptions")
        .with(window)
        .with(el("t:MergedFreeBusyIntervalInMinutes").text(GRAIN.to_string()))
        .with(el("t:RequestedView").text("FreeBusyMerged"));
    el("m:GetUserAvailabilityRequest").with(zone).with(el("m:MailboxDataArray").with(mailbox)).with(options)
}

/// A promise to be told of changes, over a connection that we keep open.
pub fn subscribe(account: &Account) -> Node {
    let kinds = ["CreatedEvent", "DeletedEvent", "ModifiedEvent", "MovedEvent", "CopiedEvent"];
    let request = el("m:StreamingSubscriptionRequest")
        .with(el("t:FolderIds").with(calendar(account)))
        .with(el("t:EventTypes").with_all(kinds.map(|kind| el("t:EventType").text(kind))));
    el("m:Subscribe").with(request)
}

/// Ends that promise.
pub fn unsubscribe(subscription: &str) -> Node {
    el("m:Unsubscribe").with(el("m:SubscriptionId").text(subscription))
}

/// Hears what changes, for that many minutes, from 1 to [`LONGEST_LISTENING`].
pub fn listen<'a>(subscriptions: impl Iterator<Item = &'a str>, minutes: u8) -> Node {
    let subscriptions = subscriptions.map(|id| el("t:SubscriptionId").text(id));
    el("m:GetStreamingEvents")
        .with(el("m:SubscriptionIds").with_all(subscriptions))
        .with(el("m:ConnectionTimeout").text(minutes.clamp(1, LONGEST_LISTENING).to_string()))
}
