"""An SMTP server (aiosmtpd) that is as relays are. What it does depends on how the recipient's address begins:

grey-     refused with 451 the first time (greylisting), taken from then on
refused-  refused with 550
full-     taken at RCPT, refused with 452 after DATA the first time
drop-     the first mail is taken whole, kept, and the connection closed without an answer
slow-     answered after two seconds

With a certificate and its key as arguments it takes mails of nobody but `carnet`, and of them only by TLS: begun by STARTTLS on its
first port, there from the beginning on its second one.

What it has is written to standard output, a line of JSON each; the first line is its port, or its ports.
"""

import asyncio
import email
import email.policy
import json
import ssl
import sys

from aiosmtpd.smtp import SMTP, AuthResult


class Handler:
    def __init__(self):
        self.seen = set()

    def first(self, address):
        known = address in self.seen
        self.seen.add(address)
        return not known

    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("refused-"):
            return "550 5.1.1 no such mailbox"
        if address.startswith("grey-") and self.first(address):
            return "451 4.7.1 greylisted, try again later"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(self, server, session, envelope):
        to = envelope.rcpt_tos[0]
        if to.startswith("slow-"):
            await asyncio.sleep(2)
        if to.startswith("full-") and self.first(to):
            return "452 4.3.1 insufficient system storage"
        mail = email.message_from_bytes(envelope.content, policy=email.policy.default)
        kinds = [part.get_content_type() for part in mail.walk() if not part.is_multipart()]
        kept = {"to": to, "subject": mail["subject"], "message_id": mail["message-id"], "parts": kinds}
        print(json.dumps(kept), flush=True)
        if to.startswith("drop-") and self.first(to):
            server.transport.abort()
            return "250 never sent"
        return "250 2.0.0 OK"


def known(server, session, envelope, mechanism, data):
    return AuthResult(success=(data.login, data.password) == (b"carnet", b"p@ss: word"), handled=False)


async def main():
    handler = Handler()
    loop = asyncio.get_running_loop()
    said = {"hostname": "relay.example", "enable_SMTPUTF8": True}
    if len(sys.argv) > 1:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(*sys.argv[1:])
        said |= {"auth_required": True, "authenticator": known}
        plain = {"tls_context": context, "require_starttls": True}
        # aiosmtpd does not see that this one is encrypted already.
        wrapped = {"auth_require_tls": False}
        servers = [
            await loop.create_server(lambda: SMTP(handler, **said, **plain), "127.0.0.1", 0),
            await loop.create_server(lambda: SMTP(handler, **said, **wrapped), "127.0.0.1", 0, ssl=context),
        ]
    else:
        servers = [await loop.create_server(lambda: SMTP(handler, **said), "127.0.0.1", 0)]
    print(*(server.sockets[0].getsockname()[1] for server in servers), flush=True)
    # It ends with whoever started it.
    await loop.run_in_executor(None, sys.stdin.read)


asyncio.run(main())
