"""Prints an access token of the demo family of the gateway at the given address."""

import json
import sys
from urllib.request import Request, urlopen

DEMO = {"email": "camille.martin@famille.example", "password": "carnet-demo-2026"}

request = Request(sys.argv[1] + "/v1/sessions", json.dumps(DEMO).encode(), {"Content-Type": "application/json"})
with urlopen(request, timeout=10) as response:
    print(json.load(response)["access_token"])
