"""Reads a calendar with the library icalendar and says as JSON what it found. Each time is told twice: as the library reads it, by the
zone's name, and by the rules that the calendar itself brings (python-dateutil)."""

import io
import json
import sys
from datetime import timezone

import icalendar
from dateutil import tz

text = sys.stdin.buffer.read()
calendar = icalendar.Calendar.from_ical(text)
own = tz.tzical(io.StringIO(text.decode().replace("\r\n ", "")))


def instant(moment):
    return moment.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def told(event, name):
    moment, zone = event[name].dt, event[name].params.get("TZID")
    ruled = moment.replace(tzinfo=own.get(zone)) if zone else moment
    return {"named": instant(moment), "ruled": instant(ruled)}


def described(event):
    return {
        "uid": str(event["UID"]),
        "sequence": int(event["SEQUENCE"]),
        "status": str(event["STATUS"]),
        "summary": str(event["SUMMARY"]),
        "class": str(event["CLASS"]),
        "starts": told(event, "DTSTART"),
        "ends": told(event, "DTEND"),
    }


json.dump(
    {
        "version": icalendar.__version__,
        "name": str(calendar.get("X-WR-CALNAME", "")),
        "method": str(calendar.get("METHOD", "")),
        "zones": sorted(str(zone["TZID"]) for zone in calendar.walk("VTIMEZONE")),
        "events": [described(event) for event in calendar.walk("VEVENT")],
    },
    sys.stdout,
)
