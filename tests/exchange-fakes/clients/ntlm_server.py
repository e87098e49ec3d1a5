"""A server over TLS that wants NTLMv2, whole and bound to its connection, as pyspnego judges it (https://github.com/jborean93/pyspnego).

It says {"port": …, "rsa": …, "between": …, "certificates": "PEM…"} and serves until its input ends. At `rsa` it has another kind of
certificate, and at `between` it is behind somebody who shows that other one. The account is CLINIQUE\\zoé with the password "mot de passe é€". Each POST is answered with
the connection's number, whose it is, how many requests it took and how often it was proven. By the path the server

/            wants proof once for a connection,
/again       wants it anew after every second request,
/close       closes the connection after each answer, without a word,
/last        says that it closes, with each refusal and each answer,
/negotiate   offers Negotiate alone,
/stream      answers in three pieces that come one by one.
"""

import base64
import datetime
import itertools
import json
import os
import ssl
import sys
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

os.environ["LM_COMPAT_LEVEL"] = "5"  # NTLMv2 alone

import spnego
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID
from spnego._ntlm_raw.crypto import md5
from spnego._ntlm_raw.messages import Authenticate, AvFlags, AvId, NTClientChallengeV2
from spnego.channel_bindings import GssChannelBindings
from spnego.exceptions import SpnegoError

CONNECTIONS = itertools.count(1)
FOLDER = tempfile.TemporaryDirectory()


def path(name):
    return os.path.join(FOLDER.name, name)


def certificate(name, key, hash):
    """A certificate that signs itself, in a file with its key."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    today = datetime.datetime(2020, 1, 1)
    made = x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key())
    made = made.serial_number(x509.random_serial_number()).not_valid_before(today)
    made = made.not_valid_after(today + datetime.timedelta(days=36500))
    made = made.add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
    made = made.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True).sign(key, hash)
    pem = made.public_bytes(serialization.Encoding.PEM)
    sealed = serialization.NoEncryption()
    with open(path(name), "wb") as file:
        file.write(pem + key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, sealed))
    return made, pem.decode()


def binding(made):
    digest = hashes.Hash(made.signature_hash_algorithm)
    digest.update(made.public_bytes(serialization.Encoding.DER))
    return GssChannelBindings(application_data=b"tls-server-end-point:" + digest.finalize())


class Refused(Exception):
    pass


class Server(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 30

    def setup(self):
        self.request = self.server.tls.wrap_socket(self.request, server_side=True)
        super().setup()
        self.number = next(CONNECTIONS)
        self.context = self.user = None
        self.proven = self.took = self.since = 0

    def log_message(self, *_):
        pass

    def judge(self, message):
        """One step; the answer to the first message, None once the third is good."""
        if self.context is None:
            offered = "negotiate" if self.path == "/negotiate" else "ntlm"
            self.context = spnego.server(protocol=offered, channel_bindings=self.server.binding)
        try:
            answer = self.context.step(message)
        except SpnegoError as error:
            raise Refused(str(error)) from error
        if not self.context.complete:
            return answer
        # What pyspnego leaves to the two sides: that there is an integrity code at all, and a binding that is not empty.
        said = Authenticate.unpack(message)
        pairs = NTClientChallengeV2.unpack(said.nt_challenge_response[16:]).av_pairs
        if not pairs.get(AvId.flags, 0) & AvFlags.mic:
            raise Refused("no integrity code")
        if pairs[AvId.channel_bindings] != md5(self.server.binding.pack()):
            raise Refused("not bound to this connection")
        if pairs[AvId.target_name] != "HTTP/localhost":
            raise Refused("another server is meant")
        self.user = self.context.client_principal
        self.proven += 1
        self.since = 0
        return None

    def refuse(self, token=None, why=None):
        scheme = "Negotiate" if self.path == "/negotiate" else "NTLM"
        said = scheme if token is None else f"{scheme} {base64.b64encode(token).decode()}"
        text = json.dumps({"why": why}).encode()
        self.send_response(401)
        self.send_header("WWW-Authenticate", said)
        if token is None and self.path != "/negotiate":
            self.send_header("WWW-Authenticate", 'Basic realm="localhost, NTLM"')
        self.send_header("Content-Length", str(len(text)))
        if self.path == "/last":
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(text)

    def do_GET(self):
        self.refuse()

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"] or 0))
        said = self.headers["Authorization"]
        if said is not None:
            message = base64.b64decode(said.split(" ", 1)[1])
            if message[8] == 1:
                self.context = self.user = None
            try:
                token = self.judge(message)
            except Refused as refused:
                self.context = self.user = None
                return self.refuse(why=str(refused))
            if token is not None:
                return self.refuse(token)
        elif self.path == "/again" and self.since >= 2:
            self.context = self.user = None
        if self.user is None:
            return self.refuse(why="no proof")
        self.took += 1
        self.since += 1
        self.answer(body)

    def answer(self, body):
        told = {"connection": self.number, "user": self.user, "took": self.took, "proven": self.proven, "body": body.decode()}
        text = json.dumps(told).encode()
        self.send_response(200)
        if self.path == "/stream":
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for _ in range(3):
                self.wfile.write(b"%x\r\n%s\r\n" % (len(text), text))
                time.sleep(0.05)
            self.wfile.write(b"0\r\n\r\n")
            return
        self.send_header("Content-Length", str(len(text)))
        if self.path == "/last":
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(text)
        if self.path == "/close":
            self.close_connection = True


def serve(name, bound):
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(path(name))
    server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
    server.daemon_threads = True
    server.handle_error = lambda *_: None
    server.tls, server.binding = tls, bound
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_address[1]


with open(path("accounts"), "w", encoding="utf-8") as file:
    file.write("CLINIQUE:zoé:mot de passe é€\n")
os.environ["NTLM_USER_FILE"] = path("accounts")
# Signed with other hashes: each binds by its own.
own, own_pem = certificate("own", ec.generate_private_key(ec.SECP256R1()), hashes.SHA384())
between, between_pem = certificate("between", rsa.generate_private_key(65537, 2048), hashes.SHA256())
ports = {"port": serve("own", binding(own)), "rsa": serve("between", binding(between)), "between": serve("between", binding(own))}
print(json.dumps({**ports, "certificates": own_pem + between_pem}), flush=True)
sys.stdin.read()
FOLDER.cleanup()
