"""A partner's program: it believes what the reference library of Standard Webhooks believes, and writes down all that came.

POST /hook takes a webhook. POST /control says {"secret": "whsec_…"} to verify with from then on; GET /log tells what came.
"""

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from standardwebhooks.webhooks import Webhook, WebhookVerificationError

SECRET = [None]
LOG = []


class Receiver(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, body):
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def do_GET(self):
        self.answer(200, LOG)

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        if self.path == "/control":
            SECRET[0] = json.loads(body)["secret"]
            return self.answer(200, {})
        entry = {
            "id": self.headers["webhook-id"],
            "signatures": len(self.headers["webhook-signature"].split(" ")),
            "host": self.headers["host"],
            "body": json.loads(body),
            "verified": True,
        }
        try:
            Webhook(SECRET[0]).verify(body, {name.lower(): value for name, value in self.headers.items()})
        except WebhookVerificationError as error:
            entry["verified"] = False
            entry["why"] = str(error)
        # The same with one byte more is no longer what was signed.
        try:
            Webhook(SECRET[0]).verify(body + b" ", {name.lower(): value for name, value in self.headers.items()})
            entry["verified"] = False
            entry["why"] = "it verifies anything"
        except WebhookVerificationError:
            pass
        LOG.append(entry)
        if not entry["verified"]:
            return self.answer(401, {})
        self.answer(200, {"challenge": entry["body"]["data"].get("challenge")})


server = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
print(server.server_address[1], flush=True)
try:
    server.serve_forever()
finally:
    sys.exit(0)
