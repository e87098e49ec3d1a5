"""O365 (https://github.com/O365/python-o365), which knows Graph from elsewhere, keeps a calendar on the fake.

    python graph_o365.py http://127.0.0.1:PORT
"""

import datetime as dt
import json
import sys
import urllib.parse
import urllib.request
from zoneinfo import ZoneInfo

from O365 import Account, MSGraphProtocol
from O365.utils import BaseTokenBackend

BASE = sys.argv[1].rstrip("/")
USER = "dr.martin@clinique.example"
PARIS = ZoneInfo("Europe/Paris")


class Protocol(MSGraphProtocol):
    _protocol_url = BASE + "/"


class Kept(BaseTokenBackend):
    """A token by the client's own credentials, as the directory gives it."""

    def load_token(self):
        return True

    def get_access_token(self, *, username=None):
        form = urllib.parse.urlencode({
            "client_id": "c", "client_secret": "s", "grant_type": "client_credentials",
            "scope": "https://graph.microsoft.com/.default",
        }).encode()
        with urllib.request.urlopen(f"{BASE}/tenant/oauth2/v2.0/token", form) as answer:
            return {"secret": json.load(answer)["access_token"]}

    def token_is_expired(self, *, username=None):
        return False


account = Account(
    ("client", "secret"), auth_flow_type="credentials", tenant_id="tenant", protocol=Protocol(timezone=PARIS),
    main_resource=f"users/{USER}", token_backend=Kept(),
)
schedule = account.schedule()
calendar = schedule.get_default_calendar()
assert calendar.name == "Calendar", calendar.name
assert [one.name for one in schedule.list_calendars()] == ["Calendar"]

# A single event: made, read, changed, found in the list.
event = calendar.new_event(subject="Déjeuner")
event.start = dt.datetime(2026, 12, 1, 12, 0, tzinfo=PARIS)
event.end = dt.datetime(2026, 12, 1, 13, 0, tzinfo=PARIS)
event.location = "Lyon"
event.sensitivity = "private"
event.transaction_id = "7E163156-7762-4BEB-A1C6-729EA81755A7"
assert event.save()
read = calendar.get_event(event.object_id)
assert (read.subject, read.location["displayName"], read.sensitivity.value) == ("Déjeuner", "Lyon", "private")
assert read.start == event.start and read.end == event.end, (read.start, event.start)
assert read.is_all_day is False and read.show_as.value == "busy"
read.start = dt.datetime(2026, 12, 1, 12, 30, tzinfo=PARIS)
read.end = dt.datetime(2026, 12, 1, 13, 30, tzinfo=PARIS)
assert read.save()
again = calendar.get_event(event.object_id)
assert again.start == read.start and again.subject == "Déjeuner"

# A series of Tuesdays, through the last hour of summer.
series = calendar.new_event(subject="Staff")
series.start = dt.datetime(2026, 10, 20, 9, 0, tzinfo=PARIS)
series.end = dt.datetime(2026, 10, 20, 10, 0, tzinfo=PARIS)
series.recurrence.set_weekly(1, days_of_week=["tuesday"], first_day_of_week="monday", start=dt.date(2026, 10, 20), end=dt.date(2026, 11, 10))
assert series.save()
# It learns only by reading that it is a series.
series = calendar.get_event(series.object_id)
occurrences = list(series.get_occurrences(dt.datetime(2026, 10, 1, tzinfo=PARIS), dt.datetime(2026, 12, 1, tzinfo=PARIS), limit=50))
starts = [one.start for one in occurrences]
assert starts == [dt.datetime(2026, 10, day, 9, tzinfo=PARIS) for day in (20, 27)] + [dt.datetime(2026, 11, day, 9, tzinfo=PARIS) for day in (3, 10)], starts

events = list(calendar.get_events(limit=50, include_recurring=False))
assert sorted(one.subject for one in events) == ["Déjeuner", "Staff"]
window = calendar.get_events(
    limit=50, include_recurring=True, start_recurring=dt.datetime(2026, 11, 1, tzinfo=PARIS), end_recurring=dt.datetime(2026, 12, 2, tzinfo=PARIS),
)
assert sorted(one.subject for one in window) == ["Déjeuner", "Staff", "Staff"]

# When somebody is free.
free = schedule.get_availability([USER], dt.datetime(2026, 12, 1, 12, tzinfo=PARIS), dt.datetime(2026, 12, 1, 14, tzinfo=PARIS), 30)
assert free[0]["availabilityView"] == ["free", "busy", "busy", "free"], free[0]

# Whole days.
day = calendar.new_event(subject="Congés")
day.start = dt.date(2026, 12, 10)
day.is_all_day = True
assert day.save()
assert calendar.get_event(day.object_id).is_all_day

for one in (day, series, again):
    assert one.delete()
assert list(calendar.get_events(limit=50, include_recurring=False)) == []
print("O365 kept a calendar")
