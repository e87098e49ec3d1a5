"""Drives the fake of Exchange Web Services with exchangelib, which knows nothing of ours: ews_exchangelib.py URL.
Prints one line of JSON with what it saw."""

import datetime
import json
import sys

from exchangelib import (
    BASIC, DELEGATE, IMPERSONATION, Account, Build, CalendarItem, Configuration, Credentials, EWSDateTime, EWSTimeZone, ExtendedProperty,
    Version,
)
from exchangelib.errors import DoesNotExist, ErrorInvalidSyncStateData, ErrorIrresolvableConflict, ErrorItemNotFound, ErrorNonExistentMailbox
from exchangelib.items import NEVER_OVERWRITE, SEND_TO_NONE
from exchangelib.protocol import BaseProtocol
from exchangelib.recurrence import DailyPattern, Recurrence

BaseProtocol.TIMEOUT = 10


class Tag(ExtendedProperty):
    property_set_id = "9c1c2f0b-6d0b-4a9f-8e6e-2f1d4f6a7b35"
    property_name = "Appointment"
    property_type = "String"


CalendarItem.register("carnet", Tag)

url, doctor = sys.argv[1].rstrip("/") + "/EWS/Exchange.asmx", "dr.martin@clinique.example"
paris = EWSTimeZone("Europe/Paris")


def account(password="open sesame", access=IMPERSONATION, address=doctor):
    configuration = Configuration(
        service_endpoint=url, credentials=Credentials("sync@clinic.example", password), auth_type=BASIC,
        version=Version(Build(15, 2, 2562, 17)), max_connections=1,
    )
    return Account(address, config=configuration, autodiscover=False, access_type=access, default_timezone=paris)


def at(*when):
    return EWSDateTime(*when, tzinfo=paris)


def refused(does, *errors):
    try:
        does()
    except errors as error:
        return type(error).__name__
    return None


saw = {}
for access in (IMPERSONATION, DELEGATE):
    calendar = account(access=access).calendar
    list(calendar.sync_items())
    state = calendar.item_sync_state

    # Made, told of, listed, read.
    made = CalendarItem(
        account=calendar.account, folder=calendar, subject="Consultation <&> ]]>", start=at(2026, 12, 1, 10, 0), end=at(2026, 12, 1, 10, 30),
        location="Cabinet", sensitivity="Private", legacy_free_busy_status="Busy", reminder_is_set=False, categories=["Carnet"], carnet="a/1",
    ).save(send_meeting_invitations=SEND_TO_NONE)
    changes = list(calendar.sync_items(sync_state=state, only_fields=["subject", "start"]))
    assert [(kind, item.id) for kind, item in changes] == [("create", made.id)], changes
    state = calendar.item_sync_state
    assert list(calendar.sync_items(sync_state=state)) == []
    [listed] = list(calendar.view(start=at(2026, 11, 30), end=at(2026, 12, 3)))
    assert (listed.id, listed.subject, listed.type) == (made.id, "Consultation <&> ]]>", "Single"), listed
    assert listed.start == at(2026, 12, 1, 10, 0) and listed.carnet == "a/1" and listed.legacy_free_busy_status == "Busy", listed
    read = calendar.get(id=made.id, changekey=made.changekey)
    assert (read.sensitivity, read.categories, read.reminder_is_set, read.location) == ("Private", ["Carnet"], False, "Cabinet"), read
    assert read._start_timezone == paris and "<html>" in str(read.body), read
    [found] = list(calendar.filter(carnet="a/1"))
    assert found.id == made.id and list(calendar.filter(carnet="a/2")) == []

    # Changed, and not in a state that is over.
    old = calendar.get(id=made.id)
    read.start, read.end = at(2026, 12, 2, 11, 0), at(2026, 12, 2, 11, 30)
    read.save(update_fields=["start", "end"], conflict_resolution=NEVER_OVERWRITE, send_meeting_invitations=SEND_TO_NONE)
    assert read.changekey != made.changekey
    old.subject = "Autre"
    saw["conflict"] = refused(
        lambda: old.save(update_fields=["subject"], conflict_resolution=NEVER_OVERWRITE, send_meeting_invitations=SEND_TO_NONE),
        ErrorIrresolvableConflict,
    )
    assert [(kind, item.id) for kind, item in calendar.sync_items(sync_state=state)] == [("update", made.id)]
    state = calendar.item_sync_state

    # A series, each occurrence by itself.
    series = CalendarItem(
        account=calendar.account, folder=calendar, subject="Série", start=at(2026, 12, 10, 8, 0), end=at(2026, 12, 10, 8, 15),
        recurrence=Recurrence(pattern=DailyPattern(interval=1), start=datetime.date(2026, 12, 10), number=5),
    ).save(send_meeting_invitations=SEND_TO_NONE)
    occurrences = list(calendar.view(start=at(2026, 12, 9), end=at(2026, 12, 20)))
    assert [item.type for item in occurrences] == ["Occurrence"] * 5, occurrences
    assert len({item.id for item in occurrences}) == 5 and len({item.uid for item in occurrences}) == 1
    assert calendar.get(id=series.id).recurrence.boundary.number == 5

    # Taken away, to the bin.
    read.delete(send_meeting_cancellations=SEND_TO_NONE)
    assert refused(lambda: calendar.get(id=made.id), ErrorItemNotFound, DoesNotExist), "still there"
    kinds = {kind for kind, _ in calendar.sync_items(sync_state=state)}
    assert kinds == {"create", "delete"}, kinds
    series.move_to_trash(send_meeting_cancellations=SEND_TO_NONE)
    assert list(calendar.all()) == [], list(calendar.all())
    saw["state"] = refused(lambda: list(calendar.sync_items(sync_state="bm90IG9uZQ==")), ErrorInvalidSyncStateData)

# Told of changes.
calendar = account().calendar
subscription = calendar.subscribe_to_streaming()
CalendarItem(account=calendar.account, folder=calendar, subject="x", start=at(2026, 12, 1, 10, 0), end=at(2026, 12, 1, 10, 30)).save()
for notification in calendar.get_streaming_events(subscription, connection_timeout=1, max_notifications_returned=2):
    saw.setdefault("events", []).extend(type(event).__name__ for event in notification.events)
calendar.unsubscribe(subscription)
saw["stranger"] = refused(lambda: list(account(password="wrong").calendar.all()), Exception)
saw["nobody"] = refused(lambda: list(account(address="nobody@clinique.example").calendar.all()), ErrorNonExistentMailbox)
print(json.dumps(saw, sort_keys=True))
