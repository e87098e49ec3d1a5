"""A browser's half of web push, by libraries that are not ours: one line of JSON in, one line out.

{} makes a subscription's keys; {"private", "auth", "body", "authorization"} opens a message and says whether who sent it signed.
"""

import base64
import json
import os
import sys

import http_ece
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from py_vapid import Vapid02


def encode(octets):
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


def decode(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def new():
    key = ec.generate_private_key(ec.SECP256R1())
    point = key.public_key().public_bytes(
        serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
    )
    number = key.private_numbers().private_value.to_bytes(32, "big")
    return {"private": encode(number), "p256dh": encode(point), "auth": encode(os.urandom(16))}


def opened(asked):
    number = int.from_bytes(decode(asked["private"]), "big")
    key = ec.derive_private_key(number, ec.SECP256R1())
    text = http_ece.decrypt(
        decode(asked["body"]), private_key=key, auth_secret=decode(asked["auth"]), version="aes128gcm"
    )
    token = asked["authorization"].split("t=")[1].split(",")[0]
    claims = json.loads(decode(token.split(".")[1]))
    return {"text": text.decode(), "signed": Vapid02.verify(asked["authorization"]), "claims": claims}


for line in sys.stdin:
    asked = json.loads(line)
    print(json.dumps(opened(asked) if asked else new()), flush=True)
