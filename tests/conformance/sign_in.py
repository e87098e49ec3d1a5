"""Prints an access token of a demo account of the gateway at the given address: of the family, or of the staff.

    sign_in.py URL [EMAIL]

Whoever works has to show two factors: an authenticator app is set up for them, and a recovery code used.
"""

import base64
import hashlib
import hmac
import json
import struct
import sys
import time
from urllib.request import Request, urlopen

url = sys.argv[1]
family = "camille.martin@famille.example"
who = {"email": sys.argv[2] if len(sys.argv) > 2 else family, "password": "carnet-demo-2026"}


def post(path, body, token=None):
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
    with urlopen(Request(url + path, json.dumps(body).encode(), headers), timeout=10) as response:
        return json.load(response)


def shown(secret):
    """What an app shows (RFC 6238, six figures, 30 s, SHA-1)."""
    mac = hmac.digest(base64.b32decode(secret), struct.pack(">Q", int(time.time()) // 30), hashlib.sha1)
    at = mac[-1] & 15
    return f"{(struct.unpack('>I', mac[at:at + 4])[0] & 0x7FFFFFFF) % 1_000_000:06}"


if who["email"] == family:
    token = post("/v1/sessions", who)["access_token"]
else:
    first = post("/v1/sessions", who | {"role": "patient"})["access_token"]
    secret = post("/v1/second-factors/totp", {}, first)["secret"]
    codes = post("/v1/second-factors/totp/confirmation", {"code": shown(secret)}, first)["recovery_codes"]
    token = post("/v1/sessions", who | {"otp": codes[0]})["access_token"]
print(token)
