"""Microsoft's own library for Graph (https://github.com/microsoftgraph/msgraph-sdk-python) on the fake: it writes and reads bodies as
their makers describe them.

    python graph_msgraph.py http://127.0.0.1:PORT
"""

import asyncio
import datetime as dt
import json
import sys
import threading
import urllib.parse
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from kiota_abstractions.authentication import AccessTokenProvider, AllowedHostsValidator, BaseBearerTokenAuthenticationProvider
from kiota_abstractions.base_request_configuration import RequestConfiguration
from msgraph import GraphRequestAdapter, GraphServiceClient
from msgraph.generated.models.body_type import BodyType
from msgraph.generated.models.date_time_time_zone import DateTimeTimeZone
from msgraph.generated.models.event import Event
from msgraph.generated.models.event_type import EventType
from msgraph.generated.models.free_busy_status import FreeBusyStatus
from msgraph.generated.models.item_body import ItemBody
from msgraph.generated.models.location import Location
from msgraph.generated.models.o_data_errors.o_data_error import ODataError
from msgraph.generated.models.sensitivity import Sensitivity
from msgraph.generated.models.single_value_legacy_extended_property import SingleValueLegacyExtendedProperty
from msgraph.generated.models.subscription import Subscription
from msgraph.generated.users.item.calendar.calendar_view.delta.delta_request_builder import DeltaRequestBuilder
from msgraph.generated.users.item.calendar.events.events_request_builder import EventsRequestBuilder
from msgraph.generated.users.item.calendar.get_schedule.get_schedule_post_request_body import GetSchedulePostRequestBody

BASE = sys.argv[1].rstrip("/")
USER = "dr.martin@clinique.example"
PROPERTY = "String {9c1c2f0b-6d0b-4a9f-8e6e-2f1d4f6a7b35} Name Appointment"
WANTED = 'IdType="ImmutableId", outlook.timezone="UTC"'
# As the fake is told.
NOW = dt.datetime(2026, 11, 30, 8, tzinfo=dt.timezone.utc)
CALLED = []


class Tokens(AccessTokenProvider):
    async def get_authorization_token(self, uri, additional_authentication_context=None):
        form = urllib.parse.urlencode({
            "client_id": "c", "client_secret": "s", "grant_type": "client_credentials",
            "scope": "https://graph.microsoft.com/.default",
        }).encode()
        with urllib.request.urlopen(f"{BASE}/tenant/oauth2/v2.0/token", form) as answer:
            return json.load(answer)["access_token"]

    def get_allowed_hosts_validator(self):
        return AllowedHostsValidator([])


class Receiver(BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        query = urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query)
        token = query.get("validationToken", [None])[0]
        text = token.encode() if token else b""
        if token is None:
            CALLED.extend(json.loads(body)["value"])
        self.send_response(200 if token else 202)
        self.send_header("content-type", "text/plain")
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)


def asking(**query):
    request = RequestConfiguration(**query)
    request.headers.add("Prefer", WANTED)
    return request


def at(hour, day=1):
    return DateTimeTimeZone(date_time=f"2026-12-{day:02}T{hour:02}:00:00", time_zone="Romance Standard Time")


async def main():
    adapter = GraphRequestAdapter(BaseBearerTokenAuthenticationProvider(Tokens()))
    adapter.base_url = f"{BASE}/v1.0"
    client = GraphServiceClient(request_adapter=adapter)
    calendar = client.users.by_user_id(USER).calendar
    assert (await calendar.get()).name == "Calendar"

    # Told of changes from now on.
    receiver = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    threading.Thread(target=receiver.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{receiver.server_port}/graph"
    watch = await client.subscriptions.post(Subscription(
        change_type="created,updated,deleted", notification_url=url, lifecycle_notification_url=url,
        resource=f"/users/{USER}/events", expiration_date_time=NOW + dt.timedelta(days=2), client_state="secret",
    ))
    assert watch.id and watch.expiration_date_time == NOW + dt.timedelta(days=2)

    async def round(link=None):
        rows, builder = [], calendar.calendar_view.delta
        query = DeltaRequestBuilder.DeltaRequestBuilderGetQueryParameters(
            start_date_time="2026-12-01T00:00:00Z", end_date_time="2027-01-01T00:00:00Z")
        page = await (builder.with_url(link).get(asking()) if link else builder.get(asking(query_parameters=query)))
        while True:
            rows += page.value
            if page.odata_delta_link:
                return rows, page.odata_delta_link
            page = await builder.with_url(page.odata_next_link).get(asking())

    rows, link = await round()
    assert rows == []

    wanted = Event(
        subject="Busy", body=ItemBody(content_type=BodyType.Text, content="one line"), start=at(10), end=at(11),
        location=Location(display_name="Room 1"), show_as=FreeBusyStatus.Busy, sensitivity=Sensitivity.Private, is_reminder_on=False,
        categories=["Carnet"], transaction_id="7E163156-7762-4BEB-A1C6-729EA81755A7",
        single_value_extended_properties=[SingleValueLegacyExtendedProperty(id=PROPERTY, value="tag/1")],
    )
    made = await calendar.events.post(wanted, asking())
    assert made.id.startswith("AAkA") and made.type == EventType.SingleInstance and made.sensitivity == Sensitivity.Private
    assert made.start.date_time == "2026-12-01T09:00:00.0000000" and made.body.content_type == BodyType.Html
    # The same transaction makes it once, and nothing else.
    assert (await calendar.events.post(wanted, asking())).id == made.id
    wanted.subject = "Other"
    try:
        await calendar.events.post(wanted, asking())
        raise AssertionError("a transaction was used twice")
    except ODataError as error:
        assert error.error.code == "ErrorDuplicateTransactionId", error.error.code

    # Found by what it carries.
    query = EventsRequestBuilder.EventsRequestBuilderGetQueryParameters(
        filter=f"singleValueExtendedProperties/Any(ep: ep/id eq '{PROPERTY}' and ep/value eq 'tag/1')",
        expand=[f"singleValueExtendedProperties($filter=id eq '{PROPERTY}')"])
    found = await calendar.events.get(asking(query_parameters=query))
    assert [one.id for one in found.value] == [made.id]
    assert found.value[0].single_value_extended_properties[0].value == "tag/1"

    # Changed in the state it is in, and in no other.
    item = calendar.events.by_event_id(made.id)
    etag = made.additional_data["@odata.etag"]
    request = asking()
    request.headers.add("If-Match", etag)
    moved = await item.patch(Event(start=at(14), end=at(15)), request)
    assert moved.change_key != made.change_key and moved.subject == "Busy"
    try:
        await item.patch(Event(subject="too late"), request)
        raise AssertionError("an old state was overwritten")
    except ODataError as error:
        assert (error.response_status_code, error.error.code) == (412, "ErrorIrresolvableConflict")

    rows, link = await round(link)
    assert [(one.id, one.change_key) for one in rows] == [(made.id, moved.change_key)]

    schedule = await calendar.get_schedule.post(GetSchedulePostRequestBody(
        schedules=[USER], start_time=at(13), end_time=at(16), availability_view_interval=60), asking())
    assert schedule.value[0].availability_view == "020", schedule.value[0].availability_view
    assert schedule.value[0].schedule_items[0].subject is None, "the title of a private event was told"

    await item.delete(asking())
    try:
        await item.get()
        raise AssertionError("it is still there")
    except ODataError as error:
        assert (error.response_status_code, error.error.code) == (404, "ErrorItemNotFound")
    rows, link = await round(link)
    assert [one.id for one in rows] == [made.id] and rows[0].additional_data["@removed"]["reason"] == "deleted"

    for _ in range(100):
        if any(one["changeType"] == "deleted" for one in CALLED):
            break
        await asyncio.sleep(0.1)
    assert all(one["clientState"] == "secret" and one["subscriptionId"] == watch.id for one in CALLED)
    assert any(one["changeType"] == "deleted" for one in CALLED), CALLED
    one = client.subscriptions.by_subscription_id(watch.id)
    renewed = await one.patch(Subscription(expiration_date_time=NOW + dt.timedelta(hours=1)))
    assert renewed.expiration_date_time == NOW + dt.timedelta(hours=1)
    await one.delete()
    print("msgraph-sdk kept a calendar")


asyncio.run(main())
